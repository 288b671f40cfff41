"""River state: how River's detectors are kept in a snapshot. The only file that looks inside them.

As plain numbers where they are plain numbers; else as River's own bytes, which only the River that wrote them can read. The
bytes are trusted because the snapshot around them is authenticated; a mismatch starts the detector cold.
"""

from __future__ import annotations

import zlib
from importlib.metadata import version
from typing import Any, Final, Protocol, TypeVar

import msgspec
import numpy as np
from river import anomaly, drift

from tocsin.errors import StateError

RIVER: Final = version("river")


class Versioned(Protocol):
    """A snapshot that says which River wrote it."""

    river: str


T = TypeVar("T", bound=Versioned)


def decoded(data: bytes, kind: type[T], detector: str) -> T:
    """Returns the snapshot in `data`.

    Raises:
        StateError: it is no snapshot of this detector, or another River wrote it.
    """
    try:
        dump = msgspec.msgpack.decode(data, type=kind)
    except msgspec.DecodeError as error:
        raise StateError(f"{detector}: a state of this version expected; {error}") from error
    if dump.river != RIVER:
        raise StateError(f"{detector}: a state by River {RIVER} expected, by River {dump.river} found")
    return dump


def adwin_bytes(window: drift.ADWIN) -> tuple[bytes, bool]:
    """Returns the window in River's own bytes, and whether it has just found a change."""
    return bytes(window._helper.__getstate__()), bool(window.drift_detected)


def restore_adwin(window: drift.ADWIN, data: bytes, flagged: bool) -> None:
    """Gives a window its bytes back.

    Raises:
        StateError: River cannot read them.
    """
    try:
        window._helper.__setstate__(data)
    except BaseException as error:
        # Rust's panic is no Exception; anything else that is none (an interrupt) is not ours to keep.
        if type(error).__name__ != "PanicException":
            raise
        raise StateError(f"adwin: River cannot read its own state back; {str(error)[:100]}") from error
    window._drift_detected = flagged


class PageHinkleyNumbers(msgspec.Struct, array_like=True):
    """All that River's PageHinkley remembers: its running mean, both sums and how far each has been, and its flag."""

    count: float
    mean: float
    up: float
    down: float
    lowest: float
    highest: float
    flagged: bool


def page_hinkley_numbers(test: drift.PageHinkley) -> PageHinkleyNumbers:
    """Returns the test's numbers."""
    return PageHinkleyNumbers(
        float(test._x_mean.n),
        float(test._x_mean._mean),
        float(test._sum_increase),
        float(test._sum_decrease),
        float(test._min_increase),
        float(test._max_decrease),
        bool(test.drift_detected),
    )


def restore_page_hinkley(test: Any, numbers: PageHinkleyNumbers) -> None:
    """Gives a test its numbers back."""
    test._x_mean.n, test._x_mean._mean = numbers.count, numbers.mean
    test._sum_increase, test._sum_decrease = numbers.up, numbers.down
    test._min_increase, test._max_decrease = numbers.lowest, numbers.highest
    test._drift_detected = numbers.flagged


class Forest(msgspec.Struct, array_like=True):
    """All that River's HalfSpaceTrees remember but the trees themselves, which their seed grows again.

    Attributes:
        masses: deflated uint16 (nodes, 2), points in this window and in the last one.
        counter: points in this window.
        first_window: whether no window is full yet.
    """

    masses: bytes
    counter: int
    first_window: bool


def grow(features: tuple[str, ...], trees: int, height: int, window: int, seed: int) -> anomaly.HalfSpaceTrees:
    """Returns empty trees over all features: River grows them at its first row, so it is shown one and made to forget it."""
    forest = anomaly.HalfSpaceTrees(n_trees=trees, height=height, window_size=window, seed=seed)
    if features:
        forest.learn_one(dict.fromkeys(features, 0.5))
        restore_forest(forest, Forest(zlib.compress(bytes(4 * len(_nodes(forest)))), 0, True))
    return forest


def is_warm(forest: anomaly.HalfSpaceTrees) -> bool:
    """Returns whether scores mean anything yet: River says 0 until its first window is full."""
    return not forest._first_window


def forest_numbers(forest: anomaly.HalfSpaceTrees) -> Forest:
    """Returns the masses."""
    masses = np.array([(node.l_mass, node.r_mass) for node in _nodes(forest)], "<u2").tobytes()
    return Forest(zlib.compress(masses, 1), forest.counter, bool(forest._first_window))


def restore_forest(forest: anomaly.HalfSpaceTrees, numbers: Forest) -> None:
    """Gives trees their masses back.

    Raises:
        StateError: they are masses of other trees.
    """
    nodes = _nodes(forest)
    masses = np.frombuffer(zlib.decompress(numbers.masses), "<u2").reshape(-1, 2).tolist()
    if len(nodes) != len(masses):
        raise StateError(f"half_space_trees: masses of {len(nodes)} nodes expected, of {len(masses)} found")
    for node, (now, before) in zip(nodes, masses, strict=True):
        node.l_mass, node.r_mass = now, before
    forest.counter, forest._first_window = numbers.counter, numbers.first_window


def _nodes(forest: anomaly.HalfSpaceTrees) -> list[Any]:
    return [node for tree in forest._tree_nodes for node in tree]
