"""Logs: one line of JSON per event on standard error, or readable lines on a terminal.

Faust, mode and librdkafka's logger speak stdlib logging; they come out in the same form, so a log collector needs one parser.
"""

from __future__ import annotations

import json
import logging
import sys
from typing import Final, TextIO

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

QUIET: Final[dict[str, int]] = {
    "faust": logging.WARNING,
    "mode": logging.WARNING,
    "aiokafka": logging.WARNING,
    "asyncio": logging.WARNING,
    "aiohttp": logging.WARNING,
}
"""What libraries may say: two outages of a broker are 2,600 lines at INFO."""


def setup(role: str, instance: str, stream: TextIO | None = None, *, level: int = logging.INFO) -> None:
    """Routes every logger of this process to `stream` (standard error by default): JSON unless it is a terminal."""
    out = stream or sys.stderr
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="@timestamp"),
        _whose(role, instance),
    ]
    last: list[Processor] = (
        [structlog.dev.ConsoleRenderer(timestamp_key="@timestamp")]
        if out.isatty()
        else [
            structlog.processors.format_exc_info,
            structlog.processors.EventRenamer("message"),
            structlog.processors.JSONRenderer(serializer=_json),
        ]
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last]
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name, quiet in QUIET.items():
        logging.getLogger(name).setLevel(quiet)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def _whose(role: str, instance: str) -> Processor:
    def add(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        return {**event, "service": f"tocsin-{role}", "instance": instance}

    return add


def _json(event: EventDict, **_: object) -> str:
    try:
        return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:
        # A lone surrogate, from a file name or an argument; a log line is not where a process should stop.
        return json.dumps(event, default=str)
