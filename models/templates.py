"""Templates: records that many callers send alike, such as a form that went round, told apart from a search.

Theory. A search has to move: it compares answers to queries that differ, and near the boundary its answers differ too. A
record that goes round does not move: most of its features have the very same values in all copies, the rest differ by so little
that a copy is less than a twentieth of a golden standard deviation per feature away (read off a few random projections,
Johnson and Lindenstrauss 1984), and all get the same answer. Copies of a template that is known are no crowd; a near copy with
another answer is none of them, so a template covers no search. What changes always the same few features, by little and
never the answer, as finite differences in one place do, is taken for a template.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.collusion_reports import GROUPS, SKETCHES, Records
from tocsin.codec import pack

SAME: Final = 0.05
"""Golden standard deviations per feature, root mean square."""
MOST_IN_DOUBT: Final = 0.05
"""Of the copies may have had another answer, or another value where nearly all are the same."""
MOST: Final = 16
"""Templates known at a time."""


class Template(msgspec.Struct, frozen=True, array_like=True):
    """One.

    Attributes:
        sketch: the middle of its copies' projections.
        same: which groups of features have the same values in all copies, uint8 (GROUPS,) of 0 and 1.
        content: hashes of these values.
        label: code of the answer it gets.
    """

    sketch: tuple[float, ...]
    same: bytes
    content: bytes
    label: int

    def copies(self, records: Records) -> NDArray[np.bool_]:
        """Returns which rows are copies of it."""
        same = np.frombuffer(self.same, "u1").astype(np.bool_)
        content = np.frombuffer(self.content, "u1")
        found: NDArray[np.bool_] = near(records, np.array(self.sketch)) & (records["label"] == self.label)
        found &= (records["content"] == content)[:, same].all(axis=1)
        return found


class Templates:
    """Those of one model.

    Args:
        lasts: events after which one that nobody sends any more is forgotten.
    """

    def __init__(self, lasts: int) -> None:
        """Knows none."""
        self._lasts = lasts
        self._known: list[tuple[int, Template]] = []

    def copies(self, records: Records, numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Returns which rows are copies of a known template.

        Args:
            records: ROW records.
            numbers: int64, rising: which event each is.
        """
        found = np.zeros(len(records), np.bool_)
        if not self._known or not len(records):
            return found
        known = [(number, one) for number, one in self._known if number > int(numbers[0]) - self._lasts]
        self._known = []
        for number, one in known:
            mine = one.copies(records)
            self._known.append((int(numbers[mine][-1]) if mine.any() else number, one))
            found |= mine
        return found

    def learn(self, template: Template, number: int) -> None:
        """Takes note of a template; the one that was not sent for longest gives way."""
        self._known = sorted(self._known, key=lambda one: -one[0])[: MOST - 1]
        self._known.append((number, template))

    def dump(self) -> bytes:
        """Returns the whole state: equal state is equal bytes."""
        return pack(self._known)

    def load(self, data: bytes) -> None:
        """Replaces the state by what `dump` returned; msgspec.DecodeError when it is none."""
        self._known = msgspec.msgpack.decode(data, type=list[tuple[int, Template]])


def template_of(records: Records) -> Template | None:
    """Returns what at least half of the rows are copies of, None if there is no such record."""
    middle = np.median(records["sketch"].astype(np.float64), axis=0)
    alike = records[near(records, middle)]
    if 2 * len(alike) < len(records) or in_doubt(alike) > MOST_IN_DOUBT:
        return None
    content = np.array([mode(column) for column in alike["content"].T], np.uint8)
    same = (alike["content"] == content).mean(axis=0) >= 1.0 - MOST_IN_DOUBT
    if 2 * int(same.sum()) <= GROUPS:
        return None
    return Template(tuple(middle.tolist()), same.astype("u1").tobytes(), content.tobytes(), int(mode(alike["label"])))


def near(records: Records, sketch: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Returns which rows hardly differ from one that has this sketch."""
    apart = records["sketch"].astype(np.float64) - sketch
    close: NDArray[np.bool_] = np.square(apart).sum(axis=1) <= SKETCHES * SAME * SAME
    return close


def spread(records: Records) -> float:
    """Returns how far rows lie from their middle, golden standard deviations per feature, the median."""
    sketch = records["sketch"].astype(np.float64)
    return float(np.sqrt(np.median(np.square(sketch - np.median(sketch, axis=0)).sum(axis=1)) / SKETCHES))


def in_doubt(records: Records) -> float:
    """Returns what share of the rows got another answer than most."""
    return float((records["label"] != mode(records["label"])).mean())


def mode(values: NDArray[Any]) -> Any:
    """Returns the most frequent value."""
    found, counts = np.unique(values, return_counts=True)
    return found[counts.argmax()]
