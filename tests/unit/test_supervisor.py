"""The supervisor restarts what faults, stops for what a person must see, and ends in good order."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from streams.supervisor import FIRST_DELAY_S, HEALTHY_S, MAX_DELAY_S, Child, next_delay, supervise
from tocsin.errors import ConfigError, Exit

# Adds a line to the file, then ends with the code for that number of lines; after the last code it asks the supervisor to stop.
COUNTING = """
import os, signal, sys
path, supervisor, codes = sys.argv[1], int(sys.argv[2]), [int(code) for code in sys.argv[3:]]
with open(path, "a") as file:
    file.write("start\\n")
run = len(open(path).readlines())
if run > len(codes):
    os.kill(supervisor, signal.SIGTERM)
    signal.pause()
sys.exit(codes[run - 1])
"""
OBEDIENT = """
import signal, sys, time
def stop(*_):
    open(sys.argv[1], "a").write("stopped\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
open(sys.argv[1], "a").write("running\\n")
while True:
    time.sleep(60)
"""


def counting(path: Path, *codes: int) -> Child:
    return Child("counting", (sys.executable, "-c", COUNTING, str(path), str(os.getpid()), *map(str, codes)))


def obedient(path: Path) -> Child:
    return Child("obedient", (sys.executable, "-c", OBEDIENT, str(path)))


def test_delays_double_to_a_limit_and_start_again_after_a_healthy_run() -> None:
    delays = [0.0]
    for _ in range(8):
        delays.append(next_delay(delays[-1], 1.0))
    assert delays[1:4] == [FIRST_DELAY_S, 2 * FIRST_DELAY_S, 4 * FIRST_DELAY_S]
    assert delays[-1] == MAX_DELAY_S
    assert next_delay(MAX_DELAY_S, HEALTHY_S) == FIRST_DELAY_S


def test_a_child_is_restarted_whatever_code_it_ended_with(tmp_path: Path) -> None:
    assert supervise([counting(tmp_path / "runs", 0, Exit.FAULT, Exit.HOLE)]) == Exit.OK
    assert (tmp_path / "runs").read_text() == "start\n" * 4


@pytest.mark.parametrize("code", [Exit.CONFIG, Exit.VERSION])
def test_a_child_that_refuses_its_configuration_stops_everything(code: Exit, tmp_path: Path) -> None:
    others = tmp_path / "others"
    # The refusal comes second, when the other child is already up.
    assert supervise([obedient(others), counting(tmp_path / "runs", Exit.FAULT, code)]) == code
    assert (tmp_path / "runs").read_text() == "start\n" * 2
    assert others.read_text() == "running\nstopped\n"


def test_a_command_that_does_not_exist_is_named_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="worker: the command must exist"):
        supervise([counting(tmp_path / "runs"), Child("worker", (str(tmp_path / "absent"),))])
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_every_child_in_good_order(number: signal.Signals, tmp_path: Path) -> None:
    script = (
        "import sys; from streams.supervisor import Child, supervise; from pathlib import Path\n"
        "sys.exit(supervise([Child(p, (sys.executable, '-c', sys.argv[1], p)) for p in sys.argv[2:]]))"
    )
    paths = [tmp_path / "a", tmp_path / "b"]
    for path in paths:
        os.mkfifo(path)
    with subprocess.Popen([sys.executable, "-c", script, OBEDIENT, *map(str, paths)]) as process:
        for path in paths:
            assert path.read_text() == "running\n"
        process.send_signal(number)
        assert [path.read_text() for path in paths] == ["stopped\n", "stopped\n"]
        assert process.wait(20) == Exit.OK
