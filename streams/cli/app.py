"""The `tocsin` command: the table of verbs, and the one place where an error becomes a line and an exit code."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final

import typer
from typer.exceptions import Abort, TyperException

from streams.cli import (
    alerts,
    baseline,
    brokers,
    config,
    containment,
    coverage,
    dlq,
    exposure,
    inventory,
    keys,
    processes,
    silence,
    topics,
    traffic,
    tutorial,
)
from streams.cli.output import PipeClosedError, clean, print_json
from tocsin import __version__
from tocsin.errors import Exit, TocsinError

INTERRUPTED = 130
PIPE_CLOSED = 141

VERBS: Final[tuple[tuple[str, Callable[..., Any]], ...]] = (
    ("demo", tutorial.demo),
    ("init", config.init),
    ("run", processes.run),
    ("intake", processes.intake),
    ("worker", processes.worker),
    ("curator", processes.curator),
    ("command", processes.command),
    ("doctor", topics.doctor),
    ("detectors", tutorial.detectors),
    ("coverage", coverage.coverage),
    ("proposals", containment.proposals),
    ("approve", containment.approve),
    ("reject", containment.reject),
    ("propose", containment.propose),
    ("release", containment.release),
    ("simulate", traffic.simulate),
    ("capture", traffic.capture),
    ("replay", traffic.replay),
    ("score", baseline.score),
    ("exposure", exposure.exposure),
)
"""Verbs that stand alone, in the order of `--help`."""

GROUPS: Final[tuple[tuple[str, str, dict[str, Callable[..., Any]]], ...]] = (
    ("config", "The configuration and where each value comes from.", {"show": config.show, "check": config.check}),
    ("topics", "The topics that Tocsin owns.", {"create": topics.create, "check": topics.check, "acls": topics.acls}),
    ("broker", "A broker on this machine, until ctrl-C.", {"embedded": brokers.embedded, "kafka": brokers.kafka}),
    ("alerts", "Findings.", {"tail": alerts.tail, "show": alerts.show, "ack": alerts.ack, "close": alerts.close}),
    (
        "baseline",
        "What a model's traffic is held against.",
        {
            "build": baseline.build,
            "show": baseline.show,
            "diff": baseline.diff,
            "promote": baseline.promote,
            "accept": baseline.accept,
        },
    ),
    (
        "silence",
        "Keep findings from proposing anything.",
        {"add": silence.add, "list": silence.list_, "remove": silence.remove},
    ),
    ("brake", "Stop automatic commands.", {"on": containment.brake_on, "off": containment.brake_off}),
    (
        "inventory",
        "The models, how critical they are, and what may be done to them.",
        {"list": inventory.list_, "set": inventory.set_, "import": inventory.import_},
    ),
    ("keys", "Who may sign what.", {"new": keys.new, "list": keys.list_, "revoke": keys.revoke}),
    ("dlq", "Records that were refused.", {"ls": dlq.ls, "replay": dlq.replay}),
)
"""Groups of verbs: name, what it is about, verb → function."""


def main(args: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code (`tocsin.errors.Exit`); a user's mistake is one line, never a traceback."""
    arguments = list(sys.argv[1:] if args is None else args)
    try:
        code = build()(args=arguments, prog_name="tocsin", standalone_mode=False)
        sys.stdout.flush()
    except TocsinError as error:
        return _report(arguments, error.exit_code, str(error))
    except TyperException as error:
        return _report(arguments, Exit(error.exit_code), error.format_message())
    except (BrokenPipeError, PipeClosedError):
        # The reader went away (`| head`); nothing may be flushed to it at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    except (KeyboardInterrupt, Abort):
        return INTERRUPTED
    except Exception as error:  # our own bug: shown whole, with the code that says so
        traceback.print_exc()
        return _report(arguments, Exit.FAULT, f"internal error: {error}")
    return code if isinstance(code, int) else Exit.OK


def build() -> typer.Typer:
    """Returns the whole command tree, from `VERBS` and `GROUPS`."""
    app = typer.Typer(
        help="Detection and response for machine-learning models in production, on Kafka.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_version)
    for name, function in VERBS:
        app.command(name)(function)
    for name, about, verbs in GROUPS:
        group = typer.Typer(help=about, no_args_is_help=True)
        for verb, function in verbs.items():
            group.command(verb)(function)
        app.add_typer(group, name=name)
    return app


def _print_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"tocsin {__version__}\n")
        raise typer.Exit


def _version(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Detection and response for machine-learning models in production, on Kafka."""
    del version


def _report(arguments: Sequence[str], code: Exit, message: str) -> int:
    """Says what went wrong: one line on standard error, or one JSON object where that was promised.

    An empty message belongs to a command that has printed its help instead.
    """
    if "--json" in arguments:
        print_json({"error": {"code": int(code), "name": code.name.lower(), "message": message}})
    elif message:
        lines = message.splitlines()
        sys.stderr.write("\n".join([f"tocsin: {clean(lines[0])}", *map(clean, lines[1:])]) + "\n")
    return code
