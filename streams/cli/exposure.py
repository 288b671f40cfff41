"""`tocsin exposure`: how much of a model its callers have seen, and how well somebody could imitate it with that."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.options import ConfigFile, Json, config_of, exists, key_of
from streams.cli.output import print_json, say, table
from tocsin.config import Config
from tocsin.errors import ConfigError
from tocsin.ids import DEVELOPMENT_KEY

if TYPE_CHECKING:
    from models.exposure import Exposed


def exposure(
    file: Annotated[Path | None, typer.Argument(help="A capture, or lines of events in any known format.")] = None,
    baseline: Annotated[Path | None, typer.Option("--baseline", help="With FILE: what golden traffic asked.")] = None,
    model: Annotated[
        str, typer.Option(help="Without FILE: this model, by its baseline in force and the frames that Kafka still holds.")
    ] = "",
    topic: Annotated[str, typer.Option(help="With FILE: the configured topic whose format and mapping the lines have.")] = "",
    keyed: Annotated[bool, typer.Option("--keyed", help="With FILE: hash callers with the deployment's key.")] = False,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Report how much of a model has been bought, by all callers together and by those who have seen most."""
    from streams.exposure import facts_of, says

    if bool(file) == bool(model) or bool(file) != bool(baseline):
        raise ConfigError("exposure: expected FILE with --baseline, or --model alone; got neither, or both")
    settings = config_of(config) if config or topic or model or exists(config) else Config()
    report = _of_file(file, baseline, settings, topic, keyed) if file and baseline else _of_model(model, settings)
    if as_json:
        print_json(facts_of(report, settings.privacy))
        return
    say(says(report))
    rows = [
        (
            top["caller"],
            top["questions"],
            f"{top['coverage']:.1%}",
            "-" if top["fidelity"] is None else f"{top['fidelity']:.0%}",
        )
        for top in facts_of(report, settings.privacy)["top"]
    ]
    table(f"callers who have seen most of {report.model}", ("caller", "questions", "seen", "can imitate"), rows)


def _of_file(file: Path, baseline: Path, config: Config, topic: str, keyed: bool) -> Exposed:
    from streams.baselines.files import read_baseline
    from streams.exposure import exposure_of_file

    return exposure_of_file(file, read_baseline(baseline), config, key_of(config) if keyed else DEVELOPMENT_KEY, topic)


def _of_model(model: str, config: Config) -> Exposed:
    from streams.baselines.files import find_published
    from streams.exposure import exposure_of_topic

    return exposure_of_topic(config, find_published(config, model))
