"""`tocsin proposals`, `approve`, `reject`, `propose`, `release`, `brake`: what people say about containment, signed."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any, get_args

import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from alerts.containment import Memory, Pending
from alerts.ladder import LADDER, Measure
from alerts.statement import Kind
from streams.cli.options import ConfigFile, Json, config_of
from streams.cli.output import print_json, say, table
from streams.cli.when import shown
from tocsin.config import Config
from tocsin.errors import ConfigError
from tocsin.inventory import Model, name_of

KeyFile = Annotated[
    Path | None, typer.Option("--key", envvar="TOCSIN_PERSON_KEY", help="Your own private key, from `tocsin keys new`.")
]
Yes = Annotated[bool, typer.Option("--yes", help="Sign without asking; for scripts.")]
Reason = Annotated[str, typer.Option(help="Why, for those who read it later.")]


def proposals(config: ConfigFile = None, as_json: Json = False) -> None:
    """List what waits for people, who has approved it, and what holds."""
    settings = config_of(config)
    memory = _memory(settings)
    holding = {target: one for target, one in memory.standing.items() if one.command}
    if as_json:
        print_json({"pending": list(memory.pending.values()), "holding": holding, "brake": memory.brake})
        return
    waiting = [
        (one.proposal.id, one.proposal.action, one.proposal.model, _targets(one), _needs(settings, one), shown(one.expires))
        for one in memory.pending.values()
        if "people" not in one.done
    ]
    table("proposals", ("id", "measure", "model", "to", "approvals", "expires"), waiting)
    table("in force", ("command", "target", "until"), [(o.command, t, shown(o.until)) for t, o in holding.items()])
    if memory.brake:
        say(f"the brake is on, by {memory.brake}: policy orders nothing; `tocsin brake off`")


def approve(
    proposal: Annotated[str, typer.Argument(help="Its id, or how it begins.")],
    key: KeyFile = None,
    reason: Reason = "",
    break_glass: Annotated[bool, typer.Option(help="Take it upon yourself alone; needs a reason, and wakes people.")] = False,
    yes: Yes = False,
    config: ConfigFile = None,
) -> None:
    """Sign that a proposal be carried out; shows exactly what is signed."""
    _decide("approve", proposal, key, yes, config, {"reason": reason, "break_glass": break_glass})


def reject(
    proposal: Annotated[str, typer.Argument(help="Its id, or how it begins.")],
    key: KeyFile = None,
    reason: Reason = "",
    yes: Yes = False,
    config: ConfigFile = None,
) -> None:
    """Sign that a proposal is not to be carried out."""
    _decide("reject", proposal, key, yes, config, {"reason": reason})


def propose(
    measure: Annotated[str, typer.Argument(help="One of the measures on a model: " + ", ".join(get_args(Measure)[2:]) + ".")],
    model: Annotated[str, typer.Argument(help="namespace/name@version.")],
    reason: Reason,
    key: KeyFile = None,
    minutes: Annotated[int, typer.Option(help="How long it should hold.")] = 60,
    yes: Yes = False,
    config: ConfigFile = None,
) -> None:
    """Propose a measure on a model yourself; others must approve it."""
    if measure not in get_args(Measure):
        raise ConfigError(f"measure: one of {', '.join(get_args(Measure)[2:])} expected; got {measure!r}")
    parts = {"subject": model, "measure": measure, "ttl_s": 60 * minutes, "reason": reason}
    _say("propose", key, yes, config_of(config), parts, f"{measure} of {model} for {minutes} minutes")


def release(
    command: Annotated[str, typer.Argument(help="Id of the command, from `tocsin proposals`.")],
    key: KeyFile = None,
    reason: Reason = "",
    yes: Yes = False,
    config: ConfigFile = None,
) -> None:
    """Sign that a command in force is to end now."""
    _say("release", key, yes, config_of(config), {"subject": command, "reason": reason}, f"the end of command {command}")


def brake_on(key: KeyFile = None, reason: Reason = "", config: ConfigFile = None) -> None:
    """Stop every new automatic command, at once; people's approvals still count."""
    _say("brake_on", key, True, config_of(config), {"reason": reason}, "")


def brake_off(key: KeyFile = None, reason: Reason = "", yes: Yes = False, config: ConfigFile = None) -> None:
    """Let policy order again what it may."""
    _say("brake_off", key, yes, config_of(config), {"reason": reason}, "that policy may order again")


def _decide(kind: Kind, begins: str, key: Path | None, yes: bool, config: str | None, parts: dict[str, Any]) -> None:
    settings = config_of(config)
    found = [one for name, one in _memory(settings).pending.items() if name.startswith(begins)]
    if len(found) != 1:
        raise ConfigError(f"proposal {begins!r}: exactly one that waits expected; found {len(found)}; see `tocsin proposals`")
    [pending] = found
    proposal = pending.proposal
    for line in (
        f"{kind} {proposal.action} of {proposal.model} for {proposal.ttl_s // 60} minutes; to: {_targets(pending)}",
        f"because: {proposal.reason}",
        f"finding: {proposal.finding_uid or 'none'}; proposed by {pending.proposer}; needs {_needs(settings, pending)}",
        f"digest: {pending.digest}",
    ):
        say(line)
    about = {"subject": proposal.id, "digest": pending.digest} | parts
    _say(kind, key, yes, settings, about, "this")


def _say(kind: Kind, key: Path | None, yes: bool, settings: Config, parts: dict[str, Any], what: str) -> None:
    from streams.command.private_key import read_private_key
    from streams.command.speaking import person_of, speak, statement_of

    if key is None:
        raise ConfigError("--key: your own private key expected, or TOCSIN_PERSON_KEY; `tocsin keys new` writes one")
    private: Ed25519PrivateKey = read_private_key(key)
    person = person_of(settings, private)
    if not yes:
        typer.confirm(f"Sign {what} as {person}?", abort=True)
    statement = statement_of(kind, person, int(time.time() * 1000), **parts)
    offset = speak(settings.kafka, statement, private)
    say(f"{kind}: signed by {person}, statement {offset}; good until {shown(statement.expires)}")


def _memory(settings: Config) -> Memory:
    from streams.command.standing import memory_of

    return memory_of(settings, int(time.time() * 1000))


def _targets(pending: Pending) -> str:
    return ", ".join(target.caller for target in pending.proposal.targets) or "the whole model"


def _needs(settings: Config, pending: Pending) -> str:
    rung, name = LADDER[pending.proposal.action], name_of(pending.proposal.model)
    model = next((model for model in settings.model if model.name == name), Model(name))
    role = f", one a {rung.role}" if rung.role else ""
    return f"{len(pending.approvals)} of {rung.humans[model.tier]}{role}"
