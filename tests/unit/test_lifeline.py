"""A child that is tied to us dies with us, even when we are killed without a word."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading

import pytest

from streams.lifeline import tied

PARENT = """
import subprocess, sys
from streams.lifeline import tied
with subprocess.Popen(tied(["sh", "-c", "echo started; exec sleep 60"], "KILL")):
    pass
"""


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv (util-linux)")
def test_a_child_dies_with_a_parent_that_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        # Said by the child, so by then it is tied.
        assert parent.stdout.readline() == b"started\n"
        parent.kill()
        # The child holds the other end of this pipe: its end is the child's death.
        assert parent.stdout.read() == b""


def test_a_command_from_another_thread_stays_as_it_is() -> None:
    found: list[list[str]] = []
    thread = threading.Thread(target=lambda: found.append(tied(["sleep", "1"], "TERM")))
    thread.start()
    thread.join()
    assert found == [["sleep", "1"]]
