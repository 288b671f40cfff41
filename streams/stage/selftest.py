"""Self-test: does this machine compute what the snapshot's writer computed?

Floating-point results differ in the last bit between CPUs, BLAS builds and libm versions. The digest covers the operations
that detectors use, on fixed inputs: where two digests are equal a replay is exact, where they differ it is equivalent.
"""

from __future__ import annotations

import hashlib
import math

import numpy as np

SCALAR = (math.log, math.log1p, math.exp, math.expm1, math.sqrt, math.erf, math.lgamma)
"""What River and our sequential tests use, besides the four operations, which IEEE 754 fixes."""

ROWS, COLUMNS = 257, 11
"""Odd on purpose: vector units handle the rest of a row by other instructions."""


def digest() -> str:
    """Returns 16 hex digits over the bits of some sums, products, logarithms and exponentials in float32 and float64."""
    steps = np.arange(1, ROWS * COLUMNS + 1, dtype=np.float64).reshape(ROWS, COLUMNS)
    wide = np.sin(steps * 0.7310585786300049) / np.sqrt(steps)
    narrow = wide.astype(np.float32)
    results = [
        wide.sum(axis=0),
        narrow.sum(axis=0),
        wide.var(axis=1),
        np.einsum("ij,ik->jk", wide, wide),
        np.log1p(np.abs(wide)),
        np.exp(narrow),
        np.cumsum(wide),
        np.quantile(narrow, [0.01, 0.5, 0.99], axis=0),
        np.array([function(value) for function in SCALAR for value in (0.3, 0.7310585786300049, 7.7)]),
    ]
    bits = hashlib.sha256()
    for result in results:
        bits.update(np.ascontiguousarray(result).tobytes())
    return bits.hexdigest()[:16]
