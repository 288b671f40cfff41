"""Broken: the real command line with one promise broken on purpose. The verifier must see every one of them.

`python -m tests.chaos.broken NAME worker --config FILE`
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Final

from streams.ledger import Ledger
from streams.stage.machine import Machine, Record, Send


def no_watermark() -> None:
    """Rows that were applied before are applied again."""

    Ledger.fresh = lambda _self, rows, _watermarks: rows  # type: ignore[method-assign,assignment,misc]


def a_skipped_reading() -> None:
    """The 50th link of every machine is never sent, as if a send had been lost."""
    step = Machine.step
    counts: dict[int, int] = {}

    def skipping(self: Machine, record: Record) -> list[Send]:
        kept = []
        for send in step(self, record):
            counts[id(self)] = counts.get(id(self), 0) + 1
            if counts[id(self)] != 50 or not self.onward:
                kept.append(send)
        return kept

    Machine.step = skipping  # type: ignore[method-assign]


BREAKS: Final[dict[str, Callable[[], None]]] = {
    "no_watermark": no_watermark,
    "a_skipped_reading": a_skipped_reading,
}


if __name__ == "__main__":
    from streams.cli import main

    BREAKS[sys.argv[1]]()
    sys.exit(main(sys.argv[2:]))
