"""Packaging: what is installed, under which names, and that nobody else installs them."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions, version
from itertools import chain
from pathlib import Path

import pytest

import tocsin

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES = ("alerts", "drills", "models", "streams", "tocsin")
TRACKED = subprocess.run(["git", "ls-files", *PACKAGES], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
DATA_SUFFIXES = {".typed", ".xml"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The names in a wheel built from this tree."""
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), "."]
    subprocess.run(command, cwd=_copy(tmp_path_factory.mktemp("tree")), check=True, capture_output=True)
    (built,) = out.glob("*.whl")
    return zipfile.ZipFile(built).namelist()


def _copy(target: Path) -> Path:
    """Returns a copy of what the wheel is made of: building in place would leave `build/` in the tree."""
    for name in ("pyproject.toml", "README.md", "LICENSE", *TRACKED):
        if (ROOT / name).exists():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (target / name).write_bytes((ROOT / name).read_bytes())
    return target


def test_nobody_else_installs_our_plain_names() -> None:
    found = packages_distributions()
    for name in PACKAGES:
        assert set(found[name]) == {"tocsin"}, name


def test_neither_tests_nor_benchmarks_are_installed() -> None:
    assert not {name for name in ("tests", "bench") if "tocsin" in packages_distributions().get(name, [])}


def test_the_packages_found_are_the_ones_that_are_ours() -> None:
    assert PROJECT["tool"]["setuptools"]["packages"]["find"]["include"] == [
        "tocsin*",
        "models*",
        "alerts*",
        "drills*",
        "streams*",
    ]
    assert "Private :: Do Not Upload" in PROJECT["project"]["classifiers"]


def test_the_wheel_holds_every_tracked_file_of_the_five_packages_and_nothing_else(wheel: list[str]) -> None:
    ours = {name for name in wheel if ".dist-info/" not in name}
    wanted = {name for name in TRACKED if (ROOT / name).suffix in {".py", *DATA_SUFFIXES} and (ROOT / name).exists()}
    assert ours == wanted


def test_the_wheel_names_its_command_and_its_version(wheel: list[str]) -> None:
    assert f"tocsin-{tocsin.__version__}.dist-info/entry_points.txt" in wheel
    assert PROJECT["project"]["scripts"] == {"tocsin": "streams.cli:main"}


def test_every_constraint_is_exact_and_covers_what_we_ask_for() -> None:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and not line.startswith("#")]
    pins = dict(line.split("==") for line in lines)
    assert len(pins) == len(lines)
    names = {name.lower().replace("_", "-") for name in pins}
    extras = chain.from_iterable(PROJECT["project"]["optional-dependencies"].values())
    for requirement in (*PROJECT["project"]["dependencies"], *extras, *PROJECT["build-system"]["requires"]):
        name = requirement.partition(">")[0].partition("=")[0].strip().lower()
        assert name.replace("_", "-") in names, requirement


def test_what_runs_here_is_what_is_pinned() -> None:
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line)
    for name in ("faust-streaming", "aiokafka", "confluent-kafka", "river", "numpy", "msgspec", "orjson"):
        assert version(name) == pins[name], name
