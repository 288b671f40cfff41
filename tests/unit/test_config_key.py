"""Key and scaffold: what `tocsin init` writes can be read back, by its owner only, and is never overwritten."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from streams.config_checks import warnings
from streams.config_file import load
from streams.key_file import read_key
from streams.scaffold import write_files
from tocsin.config import Config
from tocsin.errors import ConfigError


def test_what_init_writes_is_a_sound_configuration_with_a_key(tmp_path: Path) -> None:
    written = [path for path, _ in write_files(tmp_path / "new", "127.0.0.1:9092", "scores")]
    config = load(written[0], {})
    assert config.topic[0].name == "scores"
    assert list(warnings(config)) == []
    assert len(read_key(config, {})) == 32
    assert stat.S_IMODE(written[1].stat().st_mode) == 0o600


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "tocsin.key").write_text("old")
    with pytest.raises(ConfigError, match="exists already"):
        write_files(tmp_path, "127.0.0.1:9092", "scores")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tocsin.key"]


def test_text_that_would_break_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--topic"):
        write_files(tmp_path, "127.0.0.1:9092", 'a"\n[kafka]')


@pytest.mark.parametrize("text", ["", "secret words", "ab" * 31, "ab" * 33, "zz" * 32])
def test_a_key_that_is_none_is_refused_and_never_shown(tmp_path: Path, text: str) -> None:
    path = tmp_path / "tocsin.key"
    path.write_text(text)
    path.chmod(0o600)
    for config, env in ((Config(key_file=str(path)), {}), (Config(), {"TOCSIN_KEY": text or "x"})):
        with pytest.raises(ConfigError, match="expected 64 hex digits") as refused:
            read_key(config, env)
        assert not text or text not in str(refused.value)


def test_a_key_that_everybody_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tocsin.key"
    path.write_text("ab" * 32)
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="its mode is 0644"):
        read_key(Config(key_file=str(path)), {})


def test_a_key_may_come_from_the_environment() -> None:
    assert read_key(Config(), {"TOCSIN_KEY": "ab" * 32}) == b"\xab" * 32


def test_a_missing_key_says_what_writes_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="`tocsin init` writes one"):
        read_key(Config(key_file=str(tmp_path / "none")), {})
