"""Capture files prove themselves: whatever was changed, the line is named."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from streams.capture_file import Captured, is_capture, read_capture, write_capture
from tocsin.errors import Exit, FileError

RECORDS = [
    Captured("raw", "events", "id-1", 0, 0, 1000, b"k", b'{"a":1}', (("h", b"\xff"),)),
    Captured("raw", "events", "id-1", 1, 7, 1001, None, None),
    Captured("frames", "tocsin.frames.v1", "id-2", 3, 2, 1002, b"", bytes(range(256))),
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "capture.jsonl"
    write_capture(path, RECORDS)
    return path


def test_what_was_written_is_read_again(file: Path) -> None:
    assert list(read_capture(file)) == RECORDS
    assert is_capture(file)


def test_only_the_owner_may_read_it(file: Path) -> None:
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_records_are_counted_by_topic(tmp_path: Path) -> None:
    assert write_capture(tmp_path / "file", RECORDS) == {"events": 2, "tocsin.frames.v1": 1}


def test_a_capture_of_nothing_is_a_capture(tmp_path: Path) -> None:
    write_capture(tmp_path / "file", [])
    assert is_capture(tmp_path / "file")
    assert list(read_capture(tmp_path / "file")) == []


@pytest.mark.parametrize("line", [1, 2, 3])
def test_a_damaged_line_is_named(file: Path, line: int) -> None:
    lines = file.read_bytes().splitlines(keepends=True)
    lines[line - 1] = lines[line - 1].replace(b'"partition":', b'"partition":1', 1)
    file.write_bytes(b"".join(lines))
    with pytest.raises(FileError, match=rf"{file}:{line}: .*damaged") as error:
        list(read_capture(file))
    assert error.value.exit_code == Exit.FILE


def test_a_file_cut_short_at_a_line_lacks_its_trailer(file: Path) -> None:
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:2]))
    with pytest.raises(FileError, match=rf"{file}:3: the trailer must follow"):
        list(read_capture(file))


def test_a_file_cut_short_within_a_line_names_that_line(file: Path) -> None:
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:2])[:-9])
    with pytest.raises(FileError, match=rf"{file}:2: "):
        list(read_capture(file))


def test_a_removed_line_does_not_fit_the_trailer(file: Path) -> None:
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[1:]))
    with pytest.raises(FileError, match="counts 3 records, 2 found"):
        list(read_capture(file))


def test_exchanged_lines_do_not_fit_the_trailer(file: Path) -> None:
    first, second, *rest = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join([second, first, *rest]))
    with pytest.raises(FileError, match="the trailer must fit"):
        list(read_capture(file))


def test_nothing_may_follow_the_trailer(file: Path) -> None:
    file.write_bytes(file.read_bytes() + b"{}\n")
    with pytest.raises(FileError, match=rf"{file}:5: nothing may follow"):
        list(read_capture(file))


def test_a_missing_file_is_a_file_error(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="No such file"):
        list(read_capture(tmp_path / "none"))


def test_plain_lines_are_no_capture(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b'{"schema":"ml.inference.v1"}\n')
    assert not is_capture(tmp_path / "plain")
