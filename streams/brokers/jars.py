"""Kafka's jars: fetched once from Maven Central into a cache directory, shared by every process of this user."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from importlib.resources import as_file, files
from pathlib import Path
from typing import Final

from tocsin.errors import ConfigError

KAFKA_VERSION: Final = "4.1.1"


def missing_tools() -> list[str]:
    """Returns which of the programs that a local Kafka needs are not on PATH."""
    return [tool for tool in ("java", "mvn") if shutil.which(tool) is None]


def cache_dir() -> Path:
    """Returns where the jars of this Kafka version live; the directory exists exactly when it is complete."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "tocsin" / f"kafka-{KAFKA_VERSION}"


def class_path() -> str:
    """Returns Java's class path for Kafka, after fetching the jars if this machine has none yet (43 MB).

    Raises:
        ConfigError: Java or Maven is not installed, or Maven could not fetch the jars.
    """
    if missing := missing_tools():
        raise ConfigError(f"local Kafka: Java 17 or newer and Maven must be on PATH; not found: {', '.join(missing)}")
    home = cache_dir()
    if not home.is_dir():
        _fetch(home)
    return f"{home}/*"


def _fetch(home: Path) -> None:
    home.parent.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(dir=home.parent, prefix="fetch-") as scratch,
        as_file(files(__package__) / "pom.xml") as pom,
    ):
        jars = Path(scratch) / "jars"
        goal = ["dependency:copy-dependencies", f"-DoutputDirectory={jars}", f"-Dkafka.version={KAFKA_VERSION}"]
        done = subprocess.run(["mvn", "-q", "-B", "-f", str(pom), *goal], capture_output=True, text=True, check=False)
        if done.returncode != 0 or not any(jars.glob(f"kafka_*-{KAFKA_VERSION}.jar")):
            said = (done.stdout + done.stderr).strip()[-600:]
            raise ConfigError(f"local Kafka: mvn must fetch Kafka {KAFKA_VERSION}; it ended with {done.returncode}: {said}")
        try:
            jars.rename(home)
        except OSError:
            # Two processes fetched at once and the other one was faster; a rename is atomic, so its copy is whole.
            if not home.is_dir():
                raise
