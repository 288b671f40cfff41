"""Packaged data: sets that ship inside River and scikit-learn, cut into what is usual and what is not."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from river import datasets


@dataclass(frozen=True, slots=True)
class Packaged:
    """One set.

    Attributes:
        name: of the set.
        usual: float32 (features, rows), in a seeded random order.
        strange: float32 (features, rows) of another class.
    """

    name: str
    usual: NDArray[np.float32]
    strange: NDArray[np.float32]

    @property
    def features(self) -> tuple[str, ...]:
        """Returns made-up names."""
        return tuple(f"f{index}" for index in range(len(self.usual)))


@cache
def packaged() -> tuple[Packaged, ...]:
    """Returns phishing sites, segments of photographs that are no grass, and bananas; River ships them."""
    return (
        _of("phishing", datasets.Phishing(), True),
        _of("segment", datasets.ImageSegments(), "grass"),
        _of("banana", datasets.Bananas(), True),
    )


def _of(name: str, stream: datasets.base.Dataset, strange: object) -> Packaged:
    rows, classes = zip(*((list(x.values()), y) for x, y in stream), strict=True)
    return split(name, np.array(rows, np.float32), np.array([found == strange for found in classes]))


def split(name: str, rows: NDArray[np.float32], strange: NDArray[np.bool_]) -> Packaged:
    """Returns a set from rows (rows, features) and which of them are strange."""
    order = np.random.default_rng(1).permutation(np.flatnonzero(~strange))
    return Packaged(name, np.ascontiguousarray(rows[order].T), np.ascontiguousarray(rows[strange].T))
