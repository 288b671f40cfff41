"""Envelope: more inputs lie outside the training distribution than the golden share that always did.

Theory. Every model gets strange inputs; a golden share of them is no news. What is news is more: crafted inputs, a new kind
of customer, a broken feed. How strange a row is, all features together, is its LODA score (`loda.py`), one quantity of the
baseline; where the strangest sixteenth lies among itself is another, whose uppermost cell is a golden row in a thousand: a
few inputs that are very strange are hardly more than usual to the first, and stand out there. The counts are weighed by a
Shiryaev-Roberts bank in which only those experts bet that say scores rose: all of them, or a share of rows beyond the golden
1/64. That scores fell is no reason to wake anyone, and is not paid for.

No row teaches anything: neither the score nor the golden shares move, however much traffic an attacker supplies. Scouts
(`envelope_scout.py`) tell of single rows far outside: a finding says which features put them there, who sent them and where
they can be looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.baseline import CELLS, Baseline, Watched, floats
from models.contrast import share_within
from models.detector import Seat
from models.experts import Direction
from models.golden_watch import GoldenWatch, watch_of
from models.loda import TAIL
from models.shiryaev_roberts import Alarm
from models.strange_rows import NONE, StrangeRows, evidence_of, joined, since, strangest
from tocsin.codec import pack
from tocsin.errors import StateError
from tocsin.reading import Counts, Evidence, Reading, Reports

ID: Final = "envelope"
VERSION: Final = 2
WATCHES: Final[tuple[Watched, ...]] = ("envelope", "tail")
BETS: Final[tuple[Direction, ...]] = ("up", "top")
OUTSIDE: Final = 1 / CELLS
"""The declared rate: the share of golden rows that counts as outside; among those of the tail, of the tail."""


class _Dump(msgspec.Struct, array_like=True):
    watch: bytes
    told: StrangeRows


@dataclass(slots=True)
class Envelope:
    """Watches one model's inputs.

    Attributes:
        watch: the evidence.
        features: the baseline's.
        told: the last rows that scouts told of.
    """

    watch: GoldenWatch
    features: tuple[str, ...]
    told: StrangeRows = NONE

    def weigh(self, counts: Counts, matrix: NDArray[np.float64], seconds: float) -> list[Reading]:
        """Returns one reading if these counts raised an alarm, with what is known of the strange rows behind it."""
        return [self._explained(reading) for reading in self.watch.weigh(counts, matrix, seconds)]

    def receive(self, reports: Reports, seconds: float) -> list[Reading]:
        """Takes note of strange rows; alarms are for `weigh`, which counts them all."""
        del seconds
        self.told = joined(self.told, reports)
        return []

    def _explained(self, reading: Reading) -> Reading:
        rows = since(self.told, reading.onset_ts)
        evidence = reading.evidence | evidence_of(rows, self.features)
        examples = strangest(self.told, rows) or reading.examples
        return msgspec.structs.replace(reading, watches=ID, evidence=evidence, examples=examples)

    def dump(self) -> bytes:
        """Returns the whole state: equal state is equal bytes."""
        return pack(_Dump(self.watch.dump(), self.told))

    def load(self, data: bytes) -> None:
        """Replaces the state.

        Raises:
            StateError: it is no state of this detector under this baseline; it then stays as it was.
        """
        try:
            dump = msgspec.msgpack.decode(data, type=_Dump)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise StateError(f"{ID}: a state of version {VERSION} expected; {error}") from error
        self.watch.load(dump.watch)
        self.told = dump.told


def build(seat: Seat) -> Envelope:
    """Returns one, cold.

    Raises:
        ConfigError: the seat has no baseline.
    """
    features = () if seat.baseline is None else seat.baseline.features
    return Envelope(watch_of(ID, VERSION, seat, WATCHES, BETS, _outside), features)


def _outside(baseline: Baseline, alarm: Alarm, bucket: int) -> Evidence:
    """Returns how many golden rows lie outside, and how many did lately.

    In the tail only rows of the tail are seen. That what came beyond its uppermost cell is all that came tells how many the
    others are.
    """
    quantity = baseline.quantities[alarm.quantity]
    masses = floats(quantity.masses, -1, CELLS, dtype="<f8")[bucket]
    recent = alarm.recent / max(float(alarm.recent.sum()), 1e-9)
    golden, share = OUTSIDE, share_within(masses, recent, 1 - OUTSIDE, 1.0)
    if quantity.watches == "tail":
        golden *= TAIL
        share = golden + max(share * TAIL - golden, 0.0) / max(1.0 - share, TAIL)
    return {"golden_share_outside": float(f"{golden:.3g}"), "recent_share_outside": float(f"{share:.3g}")}
