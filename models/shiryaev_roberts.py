"""Shiryaev-Roberts bank: when have a model's counts left the baseline for good?

Theory. Each expert k bets on each quantity q (`experts.py`). A reading multiplies what was staked by e = exp(Σ weight · log
pay-off), whose mean is at most 1 as long as nothing has changed. With every second of the alert budget a fresh second is
staked (Shiryaev 1963; Roberts 1966; e-detectors: Shin, Ramdas and Rinaldo 2023):

    R ← (R + seconds) · e,      alarm and begin anew when Σ_q π_q mean_k R ≥ A = seconds of a month / alerts a month

If the seconds are known before the values, the sum less the seconds staked is a supermartingale, so alarms are expected at
most once in A seconds, at every horizon, however large readings are and however quantities depend on each other. Averaging
over experts and quantities costs nothing of that and never loses to dividing the budget among them (π: `priors.py`).

What golden traffic cannot promise is taken off the pay-offs: an exponent β where rows depend on each other in time, one
standard error for the golden rows being finite, and a margin for how days differ (`log_pay_offs`). Those are measured, not
proved, which is why a detector must also pass the replay gate.

An expert's evidence, cumulated and never below 0 (CUSUM, Page 1954), tells when the change began.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from math import log
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.baseline import CELLS, Baseline, Quantity, floats, hash_of
from models.cells import pay_offs
from models.experts import EXPERTS, Direction
from models.priors import priors
from models.quantity import JOINT
from tocsin.codec import pack
from tocsin.errors import StateError
from tocsin.reading import Counts

MONTH_S: Final = 2_629_800.0
MOST_SECONDS: Final = 3_600.0
"""That one reading may stake: a silence of days earns no more."""
BOUNDS: Final = (-80.0, 60.0)
"""Of one reading's log e: far beyond any threshold, far within a float."""
LARGEST: Final = 1e30
"""Of R."""
REST_S: Final = 600.0
"""After an alarm the quantity that caused it is staked nothing for so long: a lasting change speaks every ten minutes."""
RECENT_ROWS: Final = 256.0
"""Half-life of what `recent` remembers."""
SPEAKING_ROWS: Final = 32
"""So many rows of one reading are evidence by themselves, until there are many more."""
TABLES: Final = 2
"""Season buckets whose pay-offs are kept: this hour's, and the last one's for late rows."""

Floats = NDArray[np.float64]


def log_pay_offs(quantity: Quantity, bucket: int) -> Floats:
    """Returns what one row adds to each expert's evidence, (CELLS, experts): β (log T - log(1 + sd/√(n β))) - margin.

    T is the pay-off averaged over the cell, sd its standard deviation under the golden masses, n the golden rows.
    """
    masses = floats(quantity.masses, -1, CELLS, dtype="<f8")[bucket]
    rows = float(np.frombuffer(quantity.golden_rows, "<f8")[bucket])
    exponent, margin = floats(quantity.tempering, -1), floats(quantity.margin, -1)
    paid = pay_offs(masses)
    variance = np.einsum("c,ck->k", masses, (paid - 1.0) ** 2)
    unsure = np.sqrt(variance / np.maximum(rows * exponent, 1.0))
    logs: Floats = exponent * (np.log(paid) - np.log1p(unsure)) - margin
    logs[masses == 0] = 0.0
    return logs


@dataclass(frozen=True, slots=True)
class Alarm:
    """The bank's sum reached its threshold.

    Attributes:
        quantity: index in the baseline's quantities of the one that it is about.
        expert: index in `EXPERTS` of the one that bet best on it.
        statistic: Σ π mean R.
        threshold: A.
        onset_ts: when that expert's evidence began to grow, Unix milliseconds.
        count: rows of the model since.
        ts: of the latest row so far, Unix milliseconds: these counts may be another shard's, and older.
        recent: float64 (CELLS,): where that quantity's rows fell since the onset, the last few hundred of them.
        all_recent: float64 (quantities watched, CELLS), the same of all.
        means: float64 (quantities watched,), mean R of all.
    """

    quantity: int
    expert: int
    statistic: float
    threshold: float
    onset_ts: int
    count: int
    ts: int
    recent: Floats
    all_recent: Floats
    means: Floats


class _Dump(msgspec.Struct, array_like=True):
    baseline: str
    rows: int
    bucket: int
    arrays: bytes
    latest_ts: int = 0


class Bank:
    """Watches some quantities of one model.

    Args:
        baseline: the model's.
        quantities: indices of those to watch.
        alerts_per_month: false alarms that are allowed, > 0.
        directions: of the experts that bet; all of them when it is empty.
        owner: id of the detector that it is part of.
    """

    def __init__(
        self,
        baseline: Baseline,
        quantities: list[int],
        alerts_per_month: float,
        directions: tuple[Direction, ...] = (),
        *,
        owner: str = "bank",
    ) -> None:
        self.owner = owner
        self.baseline = baseline
        self.hash = hash_of(baseline)
        self.quantities = quantities
        self.threshold = MONTH_S / alerts_per_month
        self.experts = [at for at, expert in enumerate(EXPERTS) if not directions or expert.direction in directions]
        self._places = np.array(quantities, np.int64)
        self._priors = priors(baseline, quantities)
        self._joint = np.array([baseline.quantities[index].watches in JOINT for index in quantities], np.bool_)
        self._tables: dict[int, NDArray[np.float32]] = {}
        self._rows, self._bucket, self._latest_ts = 0, -1, 0
        shape = (len(quantities), len(self.experts))
        self._staked, self._evidence = np.zeros(shape), np.zeros(shape)
        self._since_ts, self._since_row = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        self._rest, self._recent = np.zeros(len(quantities)), np.zeros((len(quantities), CELLS))

    def weigh(self, counts: Counts, matrix: Floats, seconds: float) -> Alarm | None:
        """Returns an alarm if the sum has reached its threshold, unless all evidence is in these counts; it then begins anew.

        Args:
            counts: where and when.
            matrix: their weights, (quantities of the baseline, CELLS).
            seconds: of the alert budget, known before these counts were; ≥ 0.
        """
        if not self.quantities:
            return None
        watched = matrix.take(self._places, axis=0)
        logs = self._logs(counts.bucket, watched)
        self._remember(counts, watched)
        self._date(counts, logs)
        self._stake(seconds)
        self._staked *= np.exp(logs)
        np.minimum(self._staked, LARGEST, out=self._staked)
        means = self._means()
        statistic = float(np.add.reduce(means * self._priors))
        if statistic < self.threshold:
            return None
        cause = self._cause(means * self._priors)
        alarm = self._alarm(cause, statistic, means, watched, counts.rows)
        if alarm.count <= counts.rows:
            return None  # begun in these very counts, half of them from before: the next ones will say what it is
        self._begin_anew(cause)
        return alarm

    def _cause(self, parts: Floats) -> int:
        """Returns the quantity that an alarm is about: what tells enough by itself is told before what it does to others."""
        alone = np.where(self._joint, 0.0, parts)
        return int(alone.argmax() if alone.max() >= self.threshold else parts.argmax())

    @property
    def statistic(self) -> float:
        """Returns Σ π mean R as it stands, seconds; 0 when nothing is watched."""
        return float(np.add.reduce(self._means() * self._priors))

    def _means(self) -> Floats:
        """Returns mean R of each quantity, seconds."""
        means: Floats = np.add.reduce(self._staked, axis=1) / len(self.experts)
        return means

    def _stake(self, seconds: float) -> None:
        """Stakes these seconds on every quantity that does not rest."""
        if self._rest.any():
            self._staked += np.where(self._rest > 0, 0.0, seconds)[:, None]
            self._rest = np.maximum(self._rest - seconds, 0.0)
        else:
            self._staked += seconds

    def _logs(self, bucket: int, watched: Floats) -> Floats:
        """Returns log e of these counts, (quantities, experts)."""
        table = self._tables.pop(bucket, None)
        if table is None:
            paid = [log_pay_offs(self.baseline.quantities[index], bucket) for index in self.quantities]
            table = np.ascontiguousarray(np.stack(paid)[:, :, self.experts], np.float32)
        self._tables[bucket] = table
        if len(self._tables) > TABLES:
            del self._tables[next(iter(self._tables))]
        # einsum, not matmul: its order of additions is fixed, BLAS's depends on the machine.
        logs: Floats = np.einsum("qc,qck->qk", watched.astype(np.float32), table).astype(np.float64)
        np.maximum(logs, BOUNDS[0], out=logs)
        np.minimum(logs, BOUNDS[1], out=logs)
        return logs

    def _date(self, counts: Counts, logs: Floats) -> None:
        fresh = self._evidence <= 0
        np.copyto(self._since_ts, counts.first_ts, where=fresh)
        np.copyto(self._since_row, self._rows, where=fresh)
        self._rows += counts.rows
        self._latest_ts = max(self._latest_ts, counts.last_ts)
        self._evidence += logs
        np.maximum(self._evidence, 0.0, out=self._evidence)

    def _remember(self, counts: Counts, watched: Floats) -> None:
        kept = 0.5 ** (counts.rows / RECENT_ROWS) if counts.bucket == self._bucket else 0.0
        self._bucket = counts.bucket
        self._recent *= kept
        self._recent += watched

    def _alarm(self, cause: int, statistic: float, means: Floats, now: Floats, rows: int) -> Alarm:
        best = int(self._staked[cause].argmax())
        onset, count = int(self._since_ts[cause, best]), self._rows - int(self._since_row[cause, best])
        past = count - rows
        # What is remembered from before these counts matters as far as it lies behind the onset.
        changed = 0.0 if rows >= SPEAKING_ROWS and past < RECENT_ROWS else min(past * log(2.0) / RECENT_ROWS, 1.0)
        recent = (self._recent - now) * changed + now
        return Alarm(
            quantity=self.quantities[cause],
            expert=self.experts[best],
            statistic=statistic,
            threshold=self.threshold,
            onset_ts=onset,
            count=count,
            ts=self._latest_ts,
            recent=recent[cause],
            all_recent=recent,
            means=means,
        )

    def _begin_anew(self, cause: int) -> None:
        self._staked[:] = 0.0
        self._evidence[:] = 0.0
        self._rest[self._joint] = REST_S  # they see what happens to any of their features, and would tell it in other words
        self._rest[cause] = REST_S

    def _arrays(self) -> list[NDArray[Any]]:
        return [self._staked, self._evidence, self._since_ts, self._since_row, self._rest, self._recent]

    def dump(self) -> bytes:
        """Returns the whole state: equal state is equal bytes."""
        arrays = b"".join(array.astype(array.dtype.newbyteorder("<")).tobytes() for array in self._arrays())
        return pack(_Dump(self.hash, self._rows, self._bucket, zlib.compress(arrays, 1), self._latest_ts))

    def load(self, data: bytes) -> None:
        """Replaces the state by one that `dump` returned under the same baseline.

        Raises:
            StateError: it is no such state, or of another baseline; the bank then stays as it was.
        """
        try:
            dump = msgspec.msgpack.decode(data, type=_Dump)
            arrays = zlib.decompress(dump.arrays)
        except (msgspec.DecodeError, UnicodeDecodeError, zlib.error) as error:
            raise StateError(f"{self.owner}: a bank of this version expected; {error}") from error
        if dump.baseline != self.hash:
            raise StateError(f"{self.owner}: a bank over baseline {self.hash[:12]} expected, over {dump.baseline[:12]} found")
        mine = self._arrays()
        if len(arrays) != sum(array.nbytes for array in mine):
            raise StateError(f"{self.owner}: a bank of {len(self.quantities)} quantities expected, {len(arrays)} bytes found")
        begin = 0
        for array in mine:
            found = np.frombuffer(arrays, array.dtype.newbyteorder("<"), array.size, begin)
            array[:] = found.reshape(array.shape)
            begin += array.nbytes
        self._rows, self._bucket, self._latest_ts = dump.rows, dump.bucket, dump.latest_ts
