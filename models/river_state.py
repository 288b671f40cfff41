"""River state: how River's detectors are kept in a snapshot. The only file that looks inside them.

As plain numbers where they are plain numbers; else as River's own bytes, which only the River that wrote them can read. The
bytes are trusted because the snapshot around them is authenticated; a mismatch starts the detector cold.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any, Final, Protocol, TypeVar

import msgspec
from river import anomaly, drift
from river.tree.padded import PaddedBranch, PaddedLeaf

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


def feed_adwin(window: drift.ADWIN, values: list[float]) -> int:
    """Feeds the values up to the first that flags a change; returns how many that were, at least one.

    As River's `update` value by value, less what it does for each of them in Python.
    """
    window.update(values[0])
    if window.drift_detected:
        return 1
    update = window._helper.update
    for fed, value in enumerate(values[1:], 2):
        if update(value):
            window._drift_detected = True
            return fed
    return len(values)


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


def feed_page_hinkley(test: Any, values: list[float]) -> int:
    """Feeds the values up to the first that flags a change; returns how many that were, at least one.

    As River's `update` value by value, its arithmetic in its order, on local variables.
    """
    test.update(values[0])
    if test.drift_detected:
        return 1
    alpha, delta, threshold, enough = test.alpha, test.delta, test.threshold, test.min_instances
    now, fed = page_hinkley_numbers(test), len(values)
    count, mean, up, down, lowest, highest = now.count, now.mean, now.up, now.down, now.lowest, now.highest
    for number, value in enumerate(values[1:], 2):
        count += 1.0
        mean += (1.0 / count) * (value - mean)
        up = alpha * up + (value - mean) - delta
        down = alpha * down + (value - mean) + delta
        if up < lowest:
            lowest = up
        if down > highest:
            highest = down
        if (up - lowest > threshold or highest - down > threshold) and count >= enough:
            now.flagged, fed = True, number
            break
    restore_page_hinkley(test, PageHinkleyNumbers(count, mean, up, down, lowest, highest, now.flagged))
    return fed


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

    A point passes from the root to one leaf, so a node's mass is that of the leaves below it and leaves say it all.

    Attributes:
        now: uint8 (leaves,), points in this window, of all trees from left to right.
        before: uint8 (leaves,), in the last window.
        counter: points in this window.
        first_window: whether no window is full yet.
    """

    now: bytes
    before: bytes
    counter: int
    first_window: bool


def grow(features: tuple[str, ...], trees: int, height: int, window: int, seed: int) -> anomaly.HalfSpaceTrees:
    """Returns empty trees over all features: River grows them at its first row, so it is shown one and made to forget it."""
    forest = anomaly.HalfSpaceTrees(n_trees=trees, height=height, window_size=window, seed=seed)
    if features:
        forest.learn_one(dict.fromkeys(features, 0.5))
        empty = bytes(len(leaves_of(forest)))
        restore_forest(forest, Forest(empty, empty, 0, True))
    return forest


def is_warm(forest: anomaly.HalfSpaceTrees) -> bool:
    """Returns whether scores mean anything yet: River says 0 until its first window is full."""
    return not forest._first_window


def forest_numbers(forest: anomaly.HalfSpaceTrees, leaves: list[Any]) -> Forest:
    """Returns the masses of trees whose window is at most 255 points; `leaves` are theirs."""
    now, before = bytes([leaf.l_mass for leaf in leaves]), bytes([leaf.r_mass for leaf in leaves])
    return Forest(now, before, forest.counter, bool(forest._first_window))


def restore_forest(forest: anomaly.HalfSpaceTrees, numbers: Forest) -> None:
    """Gives trees their masses back.

    Raises:
        StateError: they are masses of other trees.
    """
    leaves = leaves_of(forest)
    if not len(leaves) == len(numbers.now) == len(numbers.before):
        found = f"{len(numbers.now)} and {len(numbers.before)}"
        raise StateError(f"half_space_trees: twice the masses of {len(leaves)} leaves expected, of {found} found")
    for leaf, now, before in zip(leaves, numbers.now, numbers.before, strict=True):
        leaf.l_mass, leaf.r_mass = now, before
    for tree in forest._tree_nodes:
        for node in reversed(tree):  # depth first: what is below a node comes behind it
            if type(node) is PaddedBranch:
                left, right = node.children
                node.l_mass, node.r_mass = left.l_mass + right.l_mass, left.r_mass + right.r_mass
    forest.counter, forest._first_window = numbers.counter, numbers.first_window


def leaves_of(forest: anomaly.HalfSpaceTrees) -> list[Any]:
    """Returns the leaves of all trees, from left to right; a forest keeps them for good."""
    return [node for tree in forest._tree_nodes for node in tree if type(node) is PaddedLeaf]
