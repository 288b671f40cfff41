"""Laws: who may import whom, how long a file may be, what names must agree, what must never be called."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from models.registry import DETECTORS

ROOT = Path(__file__).parents[2]
INSTALLED = ("tocsin", "models", "alerts", "drills", "streams")
MAX_LINES = 300
FORBIDDEN_MODULES = {"pickle", "marshal", "shelve", "dill", "cloudpickle"}
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__"}
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|NotImplementedError)\b")


def sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py") if "__pycache__" not in path.parts)


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_packages_import_only_what_the_law_allows() -> None:
    command = [str(Path(sys.executable).parent / "lint-imports")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_no_file_is_too_long_to_read_at_once() -> None:
    lengths = {name_of(path): len(path.read_text().splitlines()) for path in sources(*INSTALLED)}
    assert {name: length for name, length in lengths.items() if length > MAX_LINES} == {}


@pytest.mark.parametrize("name", DETECTORS)
def test_a_detectors_id_its_file_and_its_class_have_one_name_unless_it_is_a_golden_watch(name: str) -> None:
    tree = ast.parse((ROOT / "models" / f"{name}.py").read_text())
    wanted = "".join(word.capitalize() for word in name.split("_"))
    classes = {node.name.lower() for node in tree.body if isinstance(node, ast.ClassDef)}
    imported = {alias.name for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert wanted.lower() in classes or "GoldenWatch" in imported
    assert name == importlib.import_module(f"models.{name}").ID


def test_nothing_unpickles_and_nothing_evaluates_text() -> None:
    found = []
    for path in sources(*INSTALLED):
        for node in ast.walk(ast.parse(path.read_text())):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in FORBIDDEN_CALLS:
                found.append(f"{name_of(path)}:{node.lineno}: {node.func.id}()")
            elif isinstance(node, ast.keyword) and node.arg == "shell" and getattr(node.value, "value", None) is True:
                found.append(f"{name_of(path)}:{node.lineno}: shell=True")
            found += [f"{name_of(path)}: imports {name}" for name in names if name.partition(".")[0] in FORBIDDEN_MODULES]
    assert found == []


def test_nothing_is_unfinished() -> None:
    found = [
        f"{name_of(path)}:{number}"
        for path in sources(*INSTALLED, "bench", "tests")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if UNFINISHED.search(line) and path != Path(__file__)
    ]
    assert found == []


def test_no_file_names_a_place_on_somebodys_machine() -> None:
    places = re.compile(r"/(?:work|home|root)/\w|/tmp/venv")
    found = [
        name_of(path)
        for path in sources(*INSTALLED, "bench", "tests")
        if path != Path(__file__) and places.search(path.read_text())
    ]
    assert found == []


def test_every_module_says_what_it_is_in_its_first_line() -> None:
    silent = [name_of(path) for path in sources(*INSTALLED, "bench") if not ast.get_docstring(ast.parse(path.read_text()))]
    assert silent == []
