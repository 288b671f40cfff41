"""Results: one JSON file per part in `bench/results/` (untracked), and `latest.json`, the view of them that tools read."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any, Final

import msgspec

from bench.latency import Latency
from bench.many import Many
from bench.memory import Memory
from bench.saturation import Saturation
from bench.steps import Step

HOME: Final = Path(__file__).parent / "results"
LATEST: Final = "latest"


class Result(msgspec.Struct, frozen=True):
    """What one part measured, where and on which commit."""

    value: Any
    command: str
    machine: str
    commit: str


KINDS: Final[dict[str, Any]] = {
    "light": Saturation,
    "full": Saturation,
    "many": Many,
    "latency": Latency,
    "rss": Memory,
    "steps": list[Step],
}


def save(part: str, result: Result) -> None:
    """Writes the part's file, then the view of all parts."""
    HOME.mkdir(exist_ok=True)
    _write(part, result)
    _write(LATEST, view({name: found for name in KINDS if (found := load(name))}))


def load(part: str) -> Result | None:
    """Returns what was last measured for a part; None if nothing, or if what was measured then is no more."""
    path = HOME / f"{part}.json"
    if not path.exists():
        return None
    result = msgspec.json.decode(path.read_bytes(), type=Result)
    try:
        return msgspec.structs.replace(result, value=msgspec.convert(result.value, type=KINDS[part], str_keys=True))
    except msgspec.ValidationError:
        return None


def view(results: dict[str, Result]) -> dict[str, Any]:
    """Returns the shape that `latest.json` has; a part that was never measured is null."""
    many, latency, memory = (results[part].value if part in results else None for part in ("many", "latency", "rss"))
    last = list(results.values())[-1] if results else None
    return {
        "full": _duty(results["full"].value if "full" in results else None),
        "light": _duty(results["light"].value if "light" in results else None),
        "many_models_us": many and many.bare.cost.total,
        "latency_ms": latency
        and {"reading_p50": latency.reading_p50, "reading_p99": latency.reading_p99, "alert_p99": latency.alert_p99},
        "rss_mb": memory and memory.peak_mb,
        "machine": last and last.machine,
        "commit": last and last.commit,
    }


def _duty(value: Saturation | None) -> dict[str, Any] | None:
    if value is None:
        return None
    parts = {name: getattr(value.tocsin, name) for name in ("intake", "sense", "judge", "triage", "total")}
    return {"faust_us": value.faust.us, "quix_us": value.quix.us, "tocsin_us": parts}


def _write(name: str, value: Any) -> None:
    (HOME / f"{name}.json").write_bytes(msgspec.json.format(msgspec.json.encode(value)) + b"\n")


def machine() -> str:
    """Returns cores, processor and memory in one line."""
    about = Path("/proc/cpuinfo").read_text()
    names = [line.partition(":")[2].strip() for line in about.splitlines() if line.startswith("model name")]
    memory = int(Path("/proc/meminfo").read_text().split()[1]) / 1e6
    return f"{len(names)} cores, {names[0] if names else 'unknown'}, {memory:.0f} GB"


def commit() -> str:
    """Returns the commit the tree stands on, with `+` when files differ from it."""
    root = Path(__file__).parent.parent

    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False).stdout.strip()

    dirty = git("status", "--porcelain", "--untracked-files=no")
    return git("rev-parse", "--short=12", "HEAD") + ("+" if dirty else "")
