"""Supervisor: keeps processes running, on one machine, until somebody says stop.

Tocsin's processes answer every fault by dying at once (DESIGN.md, durability): recovery is a restart from the last snapshot,
and restarting is all that happens here. Two exit codes mean that a restart cannot help — a wrong configuration, a state or
version that this build refuses — and then everything stops, so that a person sees it.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from streams.lifeline import tied
from tocsin.errors import ConfigError, Exit

FIRST_DELAY_S: Final = 0.2
MAX_DELAY_S: Final = 10.0
HEALTHY_S: Final = 30.0
"""A child that ran this long has recovered: its next fault is a new one."""

STOP_S: Final = 20.0
FINAL: Final = frozenset({int(Exit.CONFIG), int(Exit.VERSION)})

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Child:
    """A process to keep running.

    Attributes:
        name: for people.
        argv: the command, as an argument list.
    """

    name: str
    argv: tuple[str, ...]


def next_delay(last_s: float, up_s: float) -> float:
    """Returns how long to wait before a restart: .2 s, doubling to 10 s; from the start again after 30 s of running.

    Args:
        last_s: the previous delay, 0 before the first.
        up_s: how long the child ran.
    """
    if last_s <= 0 or up_s >= HEALTHY_S:
        return FIRST_DELAY_S
    return min(2 * last_s, MAX_DELAY_S)


def supervise(children: Sequence[Child]) -> int:
    """Runs the children until SIGTERM or SIGINT, restarting whichever ends, and returns the exit code for our own process.

    Returns 0 after a signal; 2 or 6 when a child ended with it, after stopping all others. Must be called in the main thread.

    Raises:
        ConfigError: a command does not exist; nothing was started.
    """
    for child in children:
        if shutil.which(child.argv[0]) is None:
            raise ConfigError(f"{child.name}: the command must exist and be executable; found {child.argv[0]!r}")
    return asyncio.run(_supervise(children))


async def _supervise(children: Sequence[Child]) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    signals = (signal.SIGTERM, signal.SIGINT)
    for number in signals:
        loop.add_signal_handler(number, stop.set)
    try:
        codes = await asyncio.gather(*(_keep_running(child, stop) for child in children))
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
    return next((code for code in codes if code != Exit.OK), int(Exit.OK))


async def _keep_running(child: Child, stop: asyncio.Event) -> int:
    delay, clock = 0.0, asyncio.get_running_loop().time
    while not stop.is_set():
        started = clock()
        code = await _run_once(child, stop)
        if stop.is_set() and code not in FINAL:
            break
        if code in FINAL:
            log.error("child refuses to run; stopping everything", child=child.name, code=code)
            stop.set()
            return code
        delay = next_delay(delay, clock() - started)
        log.warning("child ended; it will be restarted", child=child.name, code=code, delay_s=delay)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), delay)
    return int(Exit.OK)


async def _run_once(child: Child, stop: asyncio.Event) -> int:
    process = await asyncio.create_subprocess_exec(*tied(child.argv, "TERM"), stdin=asyncio.subprocess.DEVNULL)
    log.info("child started", child=child.name, pid=process.pid)
    ended, asked = asyncio.create_task(process.wait()), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({ended, asked}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        asked.cancel()
        if not ended.done():
            await _end(process, child.name)
    return await ended


async def _end(process: asyncio.subprocess.Process, name: str) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOP_S)
    except TimeoutError:
        log.error("child did not stop when asked; killing it", child=name, waited_s=STOP_S)
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
