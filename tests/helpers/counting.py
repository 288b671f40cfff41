"""A fold that only counts, as two stages: what the shell is tested with, so that no detector stands in the way."""

from __future__ import annotations

import hashlib
import os
import signal
import sys
import zlib
from pathlib import Path

import msgspec

from streams.logs import setup
from streams.stage.machine import Outputs, Send
from streams.stage.pace import Pace
from streams.stage.runner import run_stages
from streams.stage.stage import Stage
from tocsin.codec import json_bytes, pack
from tocsin.config import Config
from tocsin.state import Section, Sections

POISON = b"poison"
KEY = b"a test's deployment key"
VERSION = 1


class CountingFold:
    """Counts records and chains their hashes, so that an order, a repeat or a loss shows in every later byte.

    Says something onward for two records of three, and raises an alert for every tenth.
    """

    def __init__(self, downstream: int, padding: int = 0) -> None:
        self.count = 0
        self.chain = b""
        self.downstream, self.padding = downstream, padding

    def apply(self, body: bytes, where: str) -> Outputs:
        if body == POISON:
            os.kill(os.getpid(), signal.SIGKILL)
        self.count += 1
        self.chain = hashlib.sha256(self.chain + body).digest()
        said = pack([self.count, self.chain.hex()])
        onward = {zlib.crc32(body) % self.downstream: said} if self.count % 3 else {}
        alert = Send("alerts", self.count % 4, where.encode(), json_bytes({"uid": where, "count": self.count}))
        return Outputs(onward, () if self.count % 10 else (alert,))

    def dump(self) -> Sections:
        return {"count": Section(VERSION, pack([self.count, self.chain])), "padding": Section(VERSION, bytes(self.padding))}

    def load(self, sections: Sections) -> list[str]:
        section = sections["count"]
        if section.version != VERSION:
            return [f"count: version {VERSION} expected, {section.version} found; starts cold"]
        self.count, self.chain = msgspec.msgpack.decode(section.data, type=tuple[int, bytes])
        return [f"{name}: unknown; dropped" for name in sections if name not in ("count", "padding")]


def first(padding: int = 0) -> Stage:
    """The stage that reads frames."""
    return Stage("sense", "frames", False, "readings", "state_sense", lambda _p, _c, _b: CountingFold(2, padding))


def second() -> Stage:
    """The stage that reads what the first one says."""
    return Stage("judge", "readings", True, "signals", "state_judge", lambda _p, _c, _b: CountingFold(1))


def main() -> None:
    """Runs both stages: `python -m tests.helpers.counting CONFIG.json SNAPSHOT_SECONDS PADDING`."""
    config = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Config)
    setup("worker", config.instance)
    run_stages(config, [first(int(sys.argv[3])), second()], KEY, pace=Pace(snapshot_s=float(sys.argv[2]), chunk_bytes=20_000))


if __name__ == "__main__":
    main()
