"""`tocsin simulate`, `tocsin capture`, `tocsin replay`: traffic from drills, into files, and through the folds again."""

from __future__ import annotations

import re
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from streams.cli.options import ConfigFile, Json, config_of, exists, key_of, part_of
from streams.cli.output import print_json, say, table, warn, write
from tocsin.config import Config, Kafka
from tocsin.errors import ConfigError, Exit
from tocsin.ids import DEVELOPMENT_KEY, derive_key

if TYPE_CHECKING:
    from streams.raw_events import Events
    from streams.replay import Replay

_BROKER = re.compile(r"[A-Za-z0-9.-]+:\d+")


def simulate(
    scenario: Annotated[str, typer.Argument(help="calm, probe, creep, sale or unit_change.")],
    to: Annotated[str, typer.Option(help="A file to write, or a broker as host:port; the configured broker otherwise.")] = "",
    topic: Annotated[str, typer.Option(help="With a broker: the topic, which must exist.")] = "ml.inference.v1",
    rate: Annotated[float, typer.Option(help="Events a second.")] = 200.0,
    seconds: Annotated[float, typer.Option(help="Event time from beginning to end.")] = 600.0,
    seed: Annotated[int, typer.Option(help="The same seed gives the same events.")] = 1,
    accounts: Annotated[int, typer.Option(help="How many accounts an attacker uses.")] = 1,
    callers: Annotated[int, typer.Option(help="Ordinary callers.")] = 5000,
    flat_out: Annotated[bool, typer.Option("--flat-out", help="As fast as it goes, not paced by event time.")] = False,
    truth: Annotated[Path | None, typer.Option(help="Write what really happens to this JSON file.")] = None,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Play a drill to a file or to a topic."""
    from drills.plan import DEFAULT_START_MS, Plan
    from streams import simulate as play

    is_broker = not to or bool(_BROKER.fullmatch(to))
    plan = Plan(
        rate=rate,
        seconds=seconds,
        seed=seed,
        accounts=accounts,
        callers=callers,
        start_ms=int(time.time() * 1000) if is_broker else DEFAULT_START_MS,
    )
    if is_broker:
        sent = play.simulate_to_topic(
            scenario, plan, Kafka(brokers=to) if to else config_of(config).kafka, topic, speed=None if flat_out else 1.0
        )
    else:
        sent = play.simulate_to_file(scenario, plan, Path(to))
    if truth is not None:
        play.write_truth(sent.truth, truth)
    if as_json:
        print_json({"events": sent.events, "seconds": round(sent.seconds, 3), "scenario": scenario, "to": to or "kafka"})
    else:
        say(f"{sent.events} events of {scenario!r} in {sent.seconds:.1f} s to {to or topic}")


def capture(
    file: Annotated[Path, typer.Argument(help="JSON lines; readable by you alone, for raw events are sensitive.")],
    role: Annotated[list[str] | None, typer.Option("--role", help="raw, frames, readings, ...; repeat. All otherwise.")] = None,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Copy what stands in the topics into one file."""
    from streams.capture import ROLES
    from streams.capture import capture as copy

    counts = copy(config_of(config), file, tuple(role) if role else ROLES)
    if as_json:
        print_json({"file": str(file), "records": counts})
        return
    for topic, count in counts.items():
        say(f"{count:>10}  {topic}")


def replay(
    file: Annotated[Path | None, typer.Argument(help="A capture, or lines of events in any known format, sniffed.")] = None,
    topic: Annotated[
        str,
        typer.Option(help="Without FILE: this topic, as it stands. With lines: the topic whose format and mapping they have."),
    ] = "",
    lab: Annotated[
        bool, typer.Option("--lab", help="Ids, examples and signals in clear, for the owner of the data; implies --json.")
    ] = False,
    keyed: Annotated[
        bool, typer.Option("--keyed", help="Hash callers with the deployment's key: shards and hashes as they were live.")
    ] = False,
    baseline: Annotated[
        list[Path] | None, typer.Option("--baseline", help="In force, armed, from the beginning; repeat for more models.")
    ] = None,
    learn_first: Annotated[
        str, typer.Option(metavar="PART", help="Build baselines from the first part, e.g. 50%, and arm them where it ends.")
    ] = "",
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Instead: does a capture's every stage follow from the one before? With --keyed: its incidents from raw, too.",
        ),
    ] = False,
    config: ConfigFile = None,
    as_json: Json = False,
) -> Exit:
    """Run recorded input through the same folds, without Kafka; the same input gives the same bytes."""
    from streams.capture import capture_topic
    from streams.replay import replay_file
    from streams.replay_report import lines

    if not (file or topic):
        raise ConfigError("replay: expected FILE or --topic; got neither")
    if check and not file:
        raise ConfigError("replay --check: expected FILE, a capture; got none")
    settings = config_of(config) if config or topic or exists(config) else Config()
    if check and file:
        return _check(file, settings, key_of(settings) if keyed else None, as_json)
    key = key_of(settings) if keyed else DEVELOPMENT_KEY
    with TemporaryDirectory() as scratch:
        path = file or Path(scratch) / "topic.jsonl"
        if not file:
            capture_topic(settings, topic, path)
        if baseline or learn_first:
            replayed, events = _taught(path, settings, key, topic if file else "", baseline or [], learn_first)
        else:
            replayed, events = replay_file(path, settings, key=key, topic=topic if file else "")
        report = lines(replayed, events if lab else None)
    if as_json or lab:
        write(b"".join(line + b"\n" for line in report))
    else:
        _tell(report)
    return Exit.OK


def _taught(path: Path, config: Config, key: bytes, topic: str, files: list[Path], learn_first: str) -> tuple[Replay, Events]:
    """Returns the replay with the baselines of these files, or with those that the first part of the records teaches."""
    from streams.baselines.files import read_baseline
    from streams.baselines.learning import learn_first as teach
    from streams.baselines.learning import with_baselines
    from streams.baselines.store import MemoryBaselines
    from streams.raw_events import events_of_file
    from streams.replay import replay_raw

    if files and learn_first:
        raise ConfigError("replay: expected --baseline or --learn-first; got both")
    settings, events = events_of_file(path, config, topic)
    if files:
        baselines = [read_baseline(one) for one in files]
        records = with_baselines(events.records(), baselines, settings)
    else:
        learned, records = teach(events.records, part_of(learn_first), settings, key)
        baselines = list(learned.baselines)
        for name, reason in learned.refused.items():
            warn(f"{name}: no baseline: {reason}")
    return replay_raw(records, settings, key, MemoryBaselines(baselines)), events


def _tell(report: list[bytes]) -> None:
    from alerts.history import one_line

    *findings, last = map(orjson.loads, report)
    for line in findings:
        say(one_line(line["finding"]))
    summary = last["summary"]
    say(", ".join(f"{count} {name}" for name, count in summary["counts"].items()))
    for reason, count in summary["rejected"].items():
        say(f"{count:>10}  rejected: {reason}")


def _check(file: Path, config: Config, key: bytes | None, as_json: bool) -> Exit:
    """Rechecks a capture; the way from raw records to incidents only with the key, for without it callers have other hashes."""
    from streams.capture_file import RAW, read_capture
    from streams.recheck import compared_incidents, recheck

    records = list(read_capture(file))
    compared = recheck(records, config, None if key is None else derive_key(key, "state"))
    has_raw = any(record.role == RAW for record in records)
    if has_raw and key is not None:
        compared.append(compared_incidents(records, config, key))
    equal = all(one.equal for one in compared)
    if as_json:
        print_json({"equal": equal, "topics": compared})
        return Exit.OK if equal else Exit.CHECK_FAILED
    rows = [(one.topic, one.captured, one.recomputed, one.missing, one.extra) for one in compared]
    table(str(file), ("topic", "captured", "recomputed", "missing", "extra"), rows)
    if has_raw and key is None:
        say("raw records to incidents: not checked; --keyed does, with the deployment's key")
    return Exit.OK if equal else Exit.CHECK_FAILED
