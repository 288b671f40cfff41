"""Process: what every long-running process has around its work — logs, status endpoints, heartbeats."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from streams import logs
from streams.health import Health, send_heartbeats
from streams.http import StatusServer
from streams.metrics import Metrics
from tocsin.config import Config
from tocsin.errors import ConfigError


class Status(NamedTuple):
    """Where a process writes down how it is.

    Attributes:
        health: for /livez, /readyz and heartbeats.
        metrics: for /metrics.
    """

    health: Health
    metrics: Metrics


@contextmanager
def status(role: str, config: Config, port: int) -> Iterator[Status]:
    """Yields a process's status, with everything running that shows it to others.

    Args:
        role: `intake` or `worker`.
        config: of the deployment.
        port: where to listen, see `streams.http`.

    Raises:
        ConfigError: the port is taken, or `data_dir` cannot be made.
    """
    try:
        Path(config.data_dir).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"data_dir: {config.data_dir} cannot be made: {error.strerror}") from error
    logs.setup(role, config.instance)
    here = Status(Health(role, config.instance), Metrics(role))
    stop = threading.Event()
    beats = threading.Thread(target=send_heartbeats, args=(config, here.health, stop), name="heartbeats", daemon=True)
    with StatusServer(config.http.host, port, here.health, here.metrics):
        beats.start()
        try:
            yield here
        finally:
            stop.set()
            beats.join(5.0)
