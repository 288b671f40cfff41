"""Result: one number of a detection benchmark."""

from __future__ import annotations

import msgspec


class Result(msgspec.Struct, frozen=True):
    """One line of `python -m bench.detection PART --json`.

    Attributes:
        part: row of `bench.detection.__main__.PARTS`.
        dataset: what it was measured on.
        method: what was measured.
        metric: name and unit of the number.
        value: the number.
        seed: of the data; -1 for a number over many seeds.
    """

    part: str
    dataset: str
    method: str
    metric: str
    value: float
    seed: int = -1
