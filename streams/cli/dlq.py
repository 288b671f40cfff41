"""`tocsin dlq`: records that intake refused, and their way back once the cause is mended."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streams.cli.options import ConfigFile, Json, config_of
from streams.cli.output import print_json, say, table
from streams.cli.when import shown
from tocsin.errors import ConfigError, Exit

if TYPE_CHECKING:
    from streams.intake.dead_letters import DeadLetter

Reason = Annotated[str, typer.Option("--reason", help="Only these, e.g. JSON or TYPE.")]
Topic = Annotated[str, typer.Option("--topic", help="Only those from this raw topic.")]
Key = Annotated[str, typer.Option("--key", help="Only the one with this key, from `tocsin dlq ls`.")]


def ls(
    reason: Reason = "",
    topic: Topic = "",
    counts: Annotated[bool, typer.Option("--counts", help="How many of each topic and reason, instead.")] = False,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """List what was refused and why."""
    from collections import Counter

    from streams.dlq import list_dead_letters

    letters = list_dead_letters(config_of(config), _chosen(reason, topic, ""))
    if counts:
        found = sorted(Counter((letter.topic, letter.reason) for letter in letters).items())
        rows = [{"topic": where, "reason": why, "count": count} for (where, why), count in found]
        _print("counts", rows, ("topic", "reason", "count"), as_json)
        return
    rows = [_row(letter) for letter in letters]
    _print("dead_letters", rows, ("key", "time", "reason", "detail", "size"), as_json)


def replay(
    reason: Reason = "",
    topic: Topic = "",
    key: Key = "",
    everything: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    config: ConfigFile = None,
    as_json: Json = False,
) -> Exit:
    """Send the originals to their topics again; what Kafka no longer has is named. Exit code 1 when some were gone."""
    from streams.dlq import replay_dead_letters

    if not (reason or topic or key or everything):
        raise ConfigError("dlq replay: expected --reason, --topic, --key or --all; got none")
    done = replay_dead_letters(config_of(config), _chosen(reason, topic, key))
    if as_json:
        print_json({"sent": [letter.key for letter in done.sent], "gone": [letter.key for letter in done.gone]})
    else:
        for letter in done.gone:
            say(f"gone: {letter.key}: Kafka has the original no longer")
        say(f"{len(done.sent)} sent again, {len(done.gone)} gone")
    return Exit.CHECK_FAILED if done.gone else Exit.OK


def _chosen(reason: str, topic: str, key: str) -> Callable[[DeadLetter], bool]:
    wanted = {"reason": reason, "topic": topic, "key": key}
    return lambda letter: all(not value or getattr(letter, name) == value for name, value in wanted.items())


def _row(letter: DeadLetter) -> dict[str, Any]:
    import msgspec

    return {**msgspec.structs.asdict(letter), "key": letter.key, "time": shown(letter.ts)}


def _print(name: str, rows: list[dict[str, Any]], columns: tuple[str, ...], as_json: bool) -> None:
    if as_json:
        print_json({name: rows})
    else:
        table("dead letters", columns, [[row[column] for column in columns] for row in rows])
