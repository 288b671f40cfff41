"""`tocsin baseline`: what a model's traffic is held against — built, looked at, compared, put in force."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.options import Author, ConfigFile, Json, config_of, exists, key_of, part_of
from streams.cli.output import print_json, say, table, warn
from tocsin.config import Config
from tocsin.errors import ConfigError, Exit
from tocsin.ids import DEVELOPMENT_KEY

if TYPE_CHECKING:
    from models.baseline import Baseline
    from streams.baselines.learning import Learned

Which = Annotated[str, typer.Argument(metavar="FILE|HASH|MODEL", help="A file, or one that was published.")]
LADDERS = ("armed", "provisional")


def build(
    file: Annotated[Path | None, typer.Argument(help="A capture, or lines of events in any known format.")] = None,
    topic: Annotated[
        str,
        typer.Option(help="Without FILE: this topic, as it stands. With lines: the topic whose format and mapping they have."),
    ] = "",
    model: Annotated[str, typer.Option(help="Only this model, namespace/name@version.")] = "",
    learn_first: Annotated[str, typer.Option(metavar="PART", help="Only the first part of it, e.g. 50%.")] = "100%",
    out: Annotated[Path, typer.Option(help="Folder for the files, one per model.")] = Path(),
    training: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Records the model was trained on, as events: lets probing for them be seen."),
    ] = None,
    keyed: Annotated[bool, typer.Option("--keyed", help="Hash callers with the deployment's key.")] = False,
    config: ConfigFile = None,
    as_json: Json = False,
) -> Exit:
    """Build a baseline per model from recorded traffic, and try it on the part it was not built from."""
    from models.baseline import encode_baseline
    from streams.baselines.describe import facts_of
    from streams.baselines.files import file_name, write_baseline

    learned = _learned(file, topic, model, part_of(learn_first), training, keyed, config)
    for baseline in learned.baselines:
        path = out / file_name(baseline)
        write_baseline(path, encode_baseline(baseline))
        if as_json:
            print_json({"file": str(path), **facts_of(baseline)})
        else:
            _tell(baseline, f"{path}")
    for name, reason in learned.refused.items():
        if as_json:
            print_json({"model": name, "refused": reason})
        else:
            warn(f"{name}: no baseline: {reason}")
    return Exit.OK if learned.baselines else Exit.CHECK_FAILED


def show(which: Which, config: ConfigFile = None, as_json: Json = False) -> None:
    """Tell what a baseline holds and what the replay gate said about each detector."""
    from streams.baselines.describe import facts_of

    baseline = _find(which, config)
    if as_json:
        print_json(facts_of(baseline))
    else:
        _tell(baseline, which)


def diff(
    before: Which,
    after: Annotated[str, typer.Argument(metavar="FILE|HASH|MODEL", help="The other one.")],
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Compare two baselines, quantity by quantity, furthest apart first."""
    from streams.baselines.describe import differences

    rows = differences(_find(before, config), _find(after, config))
    if as_json:
        print_json(rows)
        return
    shown = [(row["quantity"], row["distance"], _marks(row["before"]), _marks(row["after"])) for row in rows]
    table("", ("quantity", "distance", before, after), [["-" if cell is None else cell for cell in row] for row in shown])


def promote(
    which: Which,
    author: Author,
    as_: Annotated[str, typer.Option("--as", help=f"{' or '.join(LADDERS)}.")] = "armed",
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Put a baseline in force for its model, from this moment of the ledger on."""
    from streams.baselines.promoting import promote as put_in_force

    if as_ not in LADDERS:
        raise ConfigError(f"--as: expected {' or '.join(LADDERS)}; got {as_!r}")
    settings, baseline = config_of(config), _find(which, config)
    order, offset = put_in_force(settings.kafka, baseline, as_, author, reason)
    if as_json:
        print_json({"model": order.model, "baseline": order.baseline, "ladder": as_, "offset": offset})
        return
    say(f"{order.model}: baseline {order.baseline[:12]} is {as_} from now on")
    for gate in baseline.gate:
        if not gate.armed:
            say(f"{gate.detector} stays advisory: {gate.says}")


def accept(
    finding: Annotated[str, typer.Argument(help="The incident's id, or its beginning.")],
    author: Author,
    reason: Annotated[str, typer.Option(help="Why this is the new normal.")] = "",
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Accept a change as the new normal: what came after the finding's onset becomes the next provisional baseline."""
    from streams.baselines.accepting import learn_since
    from streams.baselines.promoting import promote as put_in_force
    from streams.cli.alerts import onset_of

    settings = config_of(config)
    incident, model, onset_ts = onset_of(settings, finding)
    baseline = learn_since(settings, model, onset_ts, f"finding {incident}")
    order, _ = put_in_force(settings.kafka, baseline, "provisional", author, reason or f"finding {incident} accepted")
    if as_json:
        print_json({"model": model, "baseline": order.baseline, "ladder": "provisional", "rows": baseline.rows})
    else:
        say(f"{model}: {baseline.rows} rows since the onset are the provisional baseline {order.baseline[:12]}")


def score(
    file: Annotated[Path, typer.Argument(help="A capture, or lines of events in any known format.")],
    baseline: Annotated[Path, typer.Option("--baseline", help="What the events are held against.")],
    detector: Annotated[list[str] | None, typer.Option("--detector", help="Only this one; repeat for more.")] = None,
    topic: Annotated[str, typer.Option(help="The configured topic whose format and mapping the lines have.")] = "",
    keyed: Annotated[bool, typer.Option("--keyed", help="Hash callers with the deployment's key.")] = False,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Give every event's score and p-value by each detector that has a baseline."""
    import msgspec

    from streams.baselines.files import read_baseline
    from streams.intake.core import frames_of
    from streams.raw_events import events_of_file
    from streams.score import DETECTORS, scores
    from tocsin.ids import derive_key

    settings = config_of(config) if config or topic or exists(config) else Config()
    key = key_of(settings) if keyed else DEVELOPMENT_KEY
    settings, events = events_of_file(file, settings, topic)
    one = msgspec.structs.replace(settings, detection=msgspec.structs.replace(settings.detection, shards=1))
    frames = frames_of(events.records(), one, derive_key(key, "caller"))
    for at, name, number, p, because in scores(frames, read_baseline(baseline), tuple(detector or DETECTORS)):
        if as_json:
            blamed = {"because": list(because)} if because else {}
            print_json({"at": str(at), "detector": name, "score": number, "p": p, **blamed})
        else:
            told = ("-" if number is None else f"{number:.6g}", "-" if p is None else f"{p:.3g}", ", ".join(because))
            say("\t".join((str(at), name, *told)).rstrip())


def _learned(
    file: Path | None, topic: str, model: str, part: float, training: Path | None, keyed: bool, config: str | None
) -> Learned:
    from streams.baselines.learning import learn_file, learn_topic, training_of

    settings = config_of(config) if config or topic or exists(config) else Config()
    key = key_of(settings) if keyed or not file else DEVELOPMENT_KEY
    if file is None and not topic:
        raise ConfigError("baseline build: expected FILE or --topic; got neither")
    trained = None if training is None else training_of(training, settings, key, topic=topic, model=model)
    if file is not None:
        return learn_file(file, settings, key, part=part, topic=topic, model=model, training=trained)
    return learn_topic(topic, settings, key, part=part, model=model, training=trained)


def _find(which: str, config: str | None) -> Baseline:
    """Returns the baseline in a file, or the published one of this hash or, if there is only one in force, model."""
    from streams.baselines.files import find_published, read_baseline

    if Path(which).exists():
        return read_baseline(Path(which))
    return find_published(config_of(config), which)


def _tell(baseline: Baseline, title: str) -> None:
    from streams.baselines.describe import summary_rows

    table(title, ("", ""), list(summary_rows(baseline)))


def _marks(quantiles: dict[str, float] | None) -> str | None:
    return None if quantiles is None else ", ".join(f"{name} {value:g}" for name, value in quantiles.items())
