"""Peers: start one in a process of its own and read its one line of result."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import msgspec

ROOT: Final = Path(__file__).parent.parent
VENV: Final = ROOT / ".venv-bench"
PINS: Final = Path(__file__).parent / "constraints-quix.txt"
TIMEOUT_S: Final = 300

Duty = Literal["light", "full"]


class Cost(msgspec.Struct, frozen=True):
    """What one run measured.

    Attributes:
        us: CPU microseconds per event, all threads of all its processes.
        per_s: events per second of wall time.
        events: measured, after warm-up.
        alarms: how often a detector crossed its threshold.
    """

    us: float
    per_s: float
    events: int
    alarms: int = 0


@dataclass(frozen=True, slots=True)
class Peer:
    """One row of `PEERS`.

    Attributes:
        title: for tables.
        module: run with `python -m`.
        isolated: whether it needs a virtual environment of its own, because its pins conflict with ours.
    """

    title: str
    module: str
    isolated: bool


PEERS: Final[dict[str, Peer]] = {
    "faust": Peer("naive Faust + River", "bench.peers.faust_agent", isolated=False),
    "quix": Peer("Quix Streams + River", "bench.peers.quix_flow", isolated=True),
}


def run(name: str, brokers: str, topic: str, duty: Duty, warm: int, events: int) -> Cost:
    """Returns what the peer measured of itself on `events` events of the topic.

    Raises:
        RuntimeError: it ended without a result; says what it printed.
    """
    peer = PEERS[name]
    python = _isolated_python() if peer.isolated else sys.executable
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as directory:
        command = [python, "-m", peer.module, brokers, topic, duty, str(warm), str(events), directory]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=TIMEOUT_S, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith(b'{"us"')]
    if done.returncode != 0 or not lines:
        said = (done.stdout + done.stderr).decode(errors="replace")[-1500:]
        raise RuntimeError(f"{peer.module}: one line of result expected; it ended with {done.returncode} and said: {said}")
    return msgspec.json.decode(lines[-1], type=Cost)


def _isolated_python() -> str:
    """Returns the Python of `.venv-bench`, made on first use; Quix Streams pins an older confluent-kafka than Tocsin."""
    python, ready = VENV / "bin" / "python", VENV / ".ready"
    if not ready.exists() or ready.read_bytes() != PINS.read_bytes():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], check=True)
        (VENV / ".gitignore").write_text("*\n")
        command = [str(python), "-I", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(PINS)]
        subprocess.run(command, check=True)
        shutil.copyfile(PINS, ready)
    return str(python)
