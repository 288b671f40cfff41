"""Fatal: how a worker ends when it must not go on — at once, and never gracefully.

A graceful stop of the framework would commit what it believes is done. `os._exit` leaves the committed offsets where the
last durable snapshot put them, so the next start repeats the rest; the supervisor sees the code and restarts.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Coroutine
from typing import Any, NoReturn

import structlog

from tocsin.errors import Exit, TocsinError

_running: set[asyncio.Task[None]] = set()


def die(code: Exit, message: str, error: BaseException | None = None) -> NoReturn:
    """Ends the process after one log line."""
    structlog.get_logger("streams.stage").critical(message, exit_code=int(code), exit=code.name, exc_info=error)
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


async def guarded(work: Coroutine[Any, Any, None], code: Exit = Exit.FAULT) -> None:
    """Runs `work`; whatever leaves it ends the process, by the error's own code or by `code`."""
    try:
        await work
    except TocsinError as error:
        die(error.exit_code, str(error))
    except asyncio.CancelledError:
        raise
    except BaseException as error:
        die(code, f"{type(error).__name__}: {error}", error)


def spawn(work: Coroutine[Any, Any, None], code: Exit = Exit.FAULT) -> asyncio.Task[None]:
    """Starts `work` under `guarded`, and keeps it from being collected before it is done."""
    task = asyncio.get_running_loop().create_task(guarded(work, code))
    _running.add(task)
    task.add_done_callback(_running.discard)
    return task
