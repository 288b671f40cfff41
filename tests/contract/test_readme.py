"""Documents: every command, setting, target and exit code they name is there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from streams.config_checks import require_topics
from streams.config_file import ENVIRONMENT, load
from streams.metrics import METRICS
from tests.helpers.command_line import parse
from tocsin.errors import Exit

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("integrations/*.md")])
README = (ROOT / "README.md").read_text()
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def commands(text: str) -> list[str]:
    """Returns every `tocsin …` line of the text's shell blocks, and of its code spans those that name a verb in full."""
    lines = [line for block in blocks(text, "sh") for line in block.splitlines() if line.startswith("tocsin ")]
    return lines + re.findall(r"`(tocsin [a-z]+(?: [a-z]+)?)`", text)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_in_the_documents_is_one_the_command_line_takes(path: Path) -> None:
    for line in commands(path.read_text()):
        assert parse(shlex.split(line, comments=True)[1:]), line


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_make_target_in_the_documents_exists(path: Path) -> None:
    assert set(re.findall(r"(?:`|^)make ([a-z]+)", path.read_text(), re.MULTILINE)) <= TARGETS


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_to_a_file_leads_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", path.read_text()):
        assert (path.parent / target).exists(), target


def test_the_first_configuration_in_the_readme_loads(tmp_path: Path) -> None:
    (text,) = blocks(README, "toml")
    (tmp_path / "tocsin.toml").write_text(text)
    require_topics(load(tmp_path / "tocsin.toml", {}))


def test_the_readme_lists_every_exit_code() -> None:
    listed = re.findall(r"^\| (\d+) \|", README, re.MULTILINE)
    assert [int(code) for code in listed] == sorted(Exit)


def test_the_example_directory_of_every_siem_is_linked() -> None:
    for folder in sorted(path.name for path in (ROOT / "integrations").iterdir() if path.is_dir()):
        assert f"(integrations/{folder})" in README


def test_operations_lists_every_variable_and_every_metric() -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    assert set(re.findall(r"^\| `(TOCSIN_\w+)`", text, re.MULTILINE)) == set(ENVIRONMENT)
    rows = re.findall(r"^\| `tocsin_(\w+)` \| (\w+) \| (.+?) \| (.+?) \|$", text, re.MULTILINE)
    assert rows == [(name, m.kind, ", ".join(m.labels) or "none", m.says) for name, m in METRICS.items()]
