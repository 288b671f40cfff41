"""`tocsin run`, `tocsin intake`, `tocsin worker`, `tocsin curator`, `tocsin command`: the processes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from streams.cli.options import ConfigFile, config_of, key_of
from tocsin.errors import ConfigError, Exit, TocsinError
from tocsin.ids import derive_key

ROLES = ("intake", "worker", "curator")
"""What `tocsin run` keeps running; and `command`, once it has a key."""


def run(config: ConfigFile = None) -> int:
    """Run intake, worker, curator and, if it has a key, command on this machine, and restart whichever ends."""
    settings = config_of(config)
    key_of(settings)
    from streams import logs
    from streams.config_checks import require_topics
    from streams.supervisor import Child, supervise

    require_topics(settings)
    logs.setup("run", settings.instance)
    # -P: a file called models.py in the working directory must not take the place of our package.
    start = (sys.executable, "-P", "-m", "streams.cli")
    given = ("--config", config) if config else ()
    roles = (*ROLES, "command") if Path(settings.command.key_file).exists() else ROLES
    return supervise([Child(role, (*start, role, *given)) for role in roles])


def intake(config: ConfigFile = None) -> NoReturn:
    """Read the producers' topics and write frames; more intakes share the partitions."""
    settings = config_of(config)
    key = key_of(settings)
    from streams.config_checks import require_topics
    from streams.intake.intake import run_intake
    from streams.observe import IntakeObserver
    from streams.process import status

    require_topics(settings)
    with status("intake", settings, settings.http.intake_port) as here:
        code = _run(partial(run_intake, settings, derive_key(key, "caller"), IntakeObserver(here)))
    _leave(code)


def worker(
    stage: Annotated[list[str] | None, typer.Option("--stage", help="sense, judge or triage; repeat. All otherwise.")] = None,
    config: ConfigFile = None,
) -> None:
    """Run the stages between frames and alerts; more workers share the partitions."""
    settings = config_of(config)
    key = key_of(settings)
    from streams.observe import WorkerObserver
    from streams.process import status
    from streams.stage.worker import run_worker
    from streams.stages import STAGES

    names = stage or list(STAGES)
    if unknown := [name for name in names if name not in STAGES]:
        raise ConfigError(f"--stage: expected {', '.join(STAGES)}; got {unknown[0]!r}")
    with status("worker", settings, settings.http.worker_port) as here:
        run_worker(settings, names, key, WorkerObserver(here))


def curator(config: ConfigFile = None) -> NoReturn:
    """Build baselines from first traffic, and tell what can be seen of each model."""
    settings = config_of(config)
    from streams.curator.curator import run_curator
    from streams.process import status

    with status("curator", settings, settings.http.curator_port) as here:
        code = _run(partial(run_curator, settings, here.health))
    _leave(code)


def command(config: ConfigFile = None) -> None:
    """Sign what policy may order and people approved, as orders to actuators; the only process with that key."""
    settings = config_of(config)
    key = key_of(settings)
    from streams.command.process import run_command
    from streams.observe import WorkerObserver
    from streams.process import status

    with status("command", settings, settings.http.command_port) as here:
        run_command(settings, key, WorkerObserver(here))


def _run(process: Callable[[], int]) -> int:
    """Returns a process's exit code; if it raises, ours ends hard."""
    from streams.stage.fatal import die

    try:
        return process()
    except TocsinError as error:
        die(error.exit_code, str(error))
    except Exception as error:
        die(Exit.FAULT, f"{type(error).__name__}: {error}", error)


def _leave(code: int) -> NoReturn:
    """Ends hard: everything is durable and committed, and the clients' own way out could only wait for an absent broker."""
    sys.stderr.flush()
    os._exit(code)
