"""Scale: what all detectors together cost and hold, with a baseline in force, over ordinary callers and ten million new ones.

`python -m bench.detection scale --json`. A model of 10 numeric features; the measuring itself is `scale_process.py`, in a
process of its own, so that its memory is not mixed with this one's. What Faust, Kafka's clients and snapshots add is measured
by `python -m bench --part full`.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from bench.detection.result import Result
from bench.detection.scale_process import Phase, traffic
from bench.golden import learned
from models.baseline import encode_baseline

PART: Final = "scale"
REGULAR: Final = 400_000
FLOOD: Final = 10_000_000
QUICK: Final = 100


def run(quick: bool) -> Iterator[Result]:
    """Yields what a fresh process measures of itself; a quick run is a hundred times smaller."""
    small = QUICK if quick else 1
    with tempfile.NamedTemporaryFile(suffix=".baseline") as file:
        file.write(encode_baseline(learned(traffic(REGULAR, 1))[0]))
        file.flush()
        command = [sys.executable, "-m", "bench.detection.scale_process", file.name, str(REGULAR // small), str(FLOOD // small)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    if done.returncode != 0:
        raise RuntimeError(f"bench.detection.scale_process: ended with {done.returncode}: {done.stdout}{done.stderr}"[-2_000:])
    for phase in msgspec.json.decode(done.stdout, type=list[Phase]):
        for metric, value in msgspec.structs.asdict(phase).items():
            if metric != "name":
                yield Result(PART, "10 numeric features", phase.name, metric, float(value))
