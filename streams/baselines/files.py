"""Files: baselines on disk, and published ones by the beginning of their hash or by their model."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from models.baseline import Baseline, decode_baseline
from streams.baselines.topic import KafkaBaselines
from streams.curator.standing import standings_of
from tocsin.config import Config
from tocsin.errors import ConfigError, FileError

SUFFIX: Final = ".baseline"


def file_name(baseline: Baseline) -> str:
    """Returns `namespace-name-version.baseline`."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", baseline.model).strip("-") + SUFFIX


def write_baseline(path: Path, data: bytes) -> None:
    """Writes an encoded baseline; its folder is made if need be.

    Raises:
        FileError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as error:
        raise FileError(f"{path}: cannot be written: {error.strerror}") from error


def read_baseline(path: Path) -> Baseline:
    """Returns the baseline in a file.

    Raises:
        FileError: it cannot be read.
        VersionError: it is no baseline, or a newer Tocsin wrote it.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise FileError(f"{path}: cannot be read: {error.strerror}") from error
    return decode_baseline(data, str(path))


def find_published(config: Config, which: str) -> Baseline:
    """Returns the published baseline whose hash begins so, or the one in force of the model of this name.

    Raises:
        ConfigError: there is none, or more than one.
        BrokerError: the topics cannot be read.
    """
    store = KafkaBaselines(config.kafka)
    try:
        names = [name for name in store.names() if name.startswith(which)] or in_force(config, which)
        if len(names) != 1:
            raise ConfigError(
                f"{which!r}: a file, the beginning of one published baseline's hash, or a model with one in force expected; "
                f"{len(names)} match"
            )
        return store.get(names[0])
    finally:
        store.close()


def in_force(config: Config, model: str) -> list[str]:
    """Returns the hash that the last promotion of this model put in force; `namespace/name` means its only version."""
    named = (one.baseline for name, one in standings_of(config.kafka).items() if model in (name, name.partition("@")[0]))
    return [baseline for baseline in named if baseline]
