"""Broken: the real command line with one promise broken on purpose. The verifier must see every one of them.

`python -m tests.chaos.broken NAME worker --config FILE`
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from typing import Final

from streams.ledger import Ledger
from streams.sense import SenseFold
from streams.stage.machine import Outputs
from streams.stage.part import Part


def no_watermark() -> None:
    """Rows that were applied before are applied again."""

    Ledger.fresh = lambda _self, rows, _watermarks: rows  # type: ignore[method-assign,assignment]


def a_skipped_reading() -> None:
    """Every 20th frame's readings are lost, and nothing in the links betrays it."""
    apply = SenseFold.apply
    frames = itertools.count(1)

    def forgetful(self: SenseFold, body: bytes, where: str) -> Outputs:
        outputs = apply(self, body, where)
        return Outputs() if next(frames) % 20 == 0 else outputs

    SenseFold.apply = forgetful  # type: ignore[method-assign]


def ack_before_snapshot() -> None:
    """Messages are acknowledged as soon as they are stepped."""
    Part.hold = lambda _self, event: event.ack()  # type: ignore[method-assign,assignment]


BREAKS: Final[dict[str, Callable[[], None]]] = {
    "no_watermark": no_watermark,
    "a_skipped_reading": a_skipped_reading,
    "ack_before_snapshot": ack_before_snapshot,
}


if __name__ == "__main__":
    from streams.cli import main

    BREAKS[sys.argv[1]]()
    sys.exit(main(sys.argv[2:]))
