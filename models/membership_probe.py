"""Membership probe: one caller asks for training records, word for word, far more often than anybody does by chance.

Theory. To learn whether a person was in the training set, an attacker asks for that person's record and looks how sure
the model is (Shokri et al. 2017; Yeom et al. 2018). A list of candidates, some of whom were members, makes exact hits on
the training rows far above the rate of ordinary traffic, which the baseline knows (`fingerprints.py`). Per caller that is
a share of marked rows: `caller_shares.py` weighs it. Alone this is weak evidence of intent: whoever replays old records,
a regression test or a migration, does the same. The finding says so (`confidence`), and it is reason to look, never to
act.

Stakes: what time has brought the model since its last hit goes to the caller of the next one, once that has been weighed.

Not seen: records that were altered, if only in the last bit, and candidates none of whom was a member. Without
fingerprints in the baseline (`tocsin baseline build --training FILE`) it sees nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import log10
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.baseline import Baseline, hash_of
from models.caller_counts import CallerCounts
from models.caller_shares import CallerShares, Crossing
from models.fingerprints import Fingerprints, marks_of
from models.quantity import features_of
from models.shiryaev_roberts import MONTH_S, MOST_SECONDS
from tocsin.clock import Clock
from tocsin.codec import pack
from tocsin.errors import StateError
from tocsin.reading import Evidence, Reading
from tocsin.rows import Rows

ID: Final = "membership_probe"
VERSION: Final = 1
MOST_MODELS: Final = 64
CONFIDENCE: Final = "low: whoever replays old records does the same"


class _Held(msgspec.Struct, array_like=True):
    baseline: str
    usual: float
    counts: bytes
    shares: bytes
    high_ms: int
    spent_ms: int


@dataclass(slots=True)
class Watch:
    """One model in one shard.

    Attributes:
        baseline: hash of the baseline whose fingerprints these are.
        usual: see `Fingerprints.usual`.
        shares: its callers' evidence.
        counts: what they asked.
        high_ms: furthest event time, Unix milliseconds, 0 before the first.
        spent_ms: up to where time has been staked.
    """

    baseline: str
    usual: float
    shares: CallerShares
    counts: CallerCounts
    high_ms: int = 0
    spent_ms: int = 0

    def hits(
        self, rows: Rows, values: NDArray[np.float32], fingerprints: Fingerprints, shards: int
    ) -> list[tuple[int, Crossing]]:
        """Returns the rows at which a caller crossed.

        Args:
            rows: of the model, in ledger order.
            values: float32 (features, rows), the baseline's features of them.
            fingerprints: the baseline's.
            shards: how many share the time.
        """
        hit, place = marks_of(fingerprints, len(values)).hits(values)
        numbers, _ = self.counts.count(rows.hash, hit)
        high = np.maximum.accumulate(np.maximum(rows.ts, self.high_ms or int(rows.ts[0])))
        self.spent_ms = self.spent_ms or int(rows.ts[0])
        self.high_ms = int(high[-1])
        found = []
        for row in np.flatnonzero(hit).tolist():
            seconds = min((int(high[row]) - self.spent_ms) / 1_000.0, MOST_SECONDS) / shards
            self.spent_ms = int(high[row])
            question = (int(numbers[row]), int(place[row]), int(rows.ts[row]), seconds)
            crossing = self.shares.mark(int(rows.hash[row]), *question, rows.coordinates(row))
            if crossing is not None:
                found.append((row, crossing))
        return found


class MembershipProbe:
    """One shard's callers.

    Args:
        alerts_per_month: false alarms that may be raised on each model, over all shards.
        shards: how many share them.
        baselines: model → its baseline, as in force at any time.
    """

    def __init__(self, alerts_per_month: float, shards: int, baselines: Mapping[str, Baseline]) -> None:
        self._threshold = MONTH_S / alerts_per_month
        self._shards = shards
        self._baselines = baselines
        self._known: dict[str, tuple[Baseline, str]] = {}
        self._at: dict[str, Watch] = {}

    def observe(self, rows: Rows, clock: Clock) -> list[Reading]:
        """Returns the callers that crossed, or go on."""
        baseline = self._baselines.get(rows.model)
        if baseline is None or baseline.fingerprints is None or not len(rows) or not rows.features:
            return []
        watch = self._watch(baseline)
        if watch is None:
            return []
        values = features_of(baseline.features, rows)
        found = watch.hits(rows, values, baseline.fingerprints, self._shards)
        return [self._reading(rows, row, crossing, watch, baseline.fingerprints) for row, crossing in found]

    def tick(self, clock: Clock) -> None:
        """Ignores ledger time: stakes are event time."""

    def _watch(self, baseline: Baseline) -> Watch | None:
        """Returns the watch over this baseline's model, begun anew with each baseline; None when there are too many."""
        model, fingerprints = baseline.model, baseline.fingerprints
        known, name = self._known.get(model, (None, ""))
        if known is not baseline:
            name = hash_of(baseline)
            self._known[model] = baseline, name
        watch = self._at.get(model)
        if fingerprints is None or (watch is not None and watch.baseline == name):
            return watch
        if watch is None and len(self._at) >= MOST_MODELS:
            return None
        watch = Watch(name, fingerprints.usual, CallerShares(fingerprints.usual, self._threshold), CallerCounts())
        self._at[model] = watch
        return watch

    def _reading(self, rows: Rows, row: int, crossing: Crossing, watch: Watch, fingerprints: Fingerprints) -> Reading:
        ts = int(rows.ts[row])
        evidence: Evidence = {
            "signal": "training records",
            "confidence": CONFIDENCE,
            "baseline": watch.baseline[:12],
            "log10_statistic": round(log10(crossing.statistic), 2),
            "log10_threshold": round(log10(self._threshold), 2),
            "hits": crossing.marked,
            "asked": crossing.asked,
            "hit_share": round(crossing.marked / max(crossing.asked, 1), 3),
            "golden_hit_share": round(fingerprints.base, 4),
            "largest_golden_hit_share": round(fingerprints.usual, 4),
        }
        return Reading(
            detector=ID,
            version=VERSION,
            model=rows.model,
            watches="training records",
            caller=rows.caller_of(row),
            at=rows.coordinates(row),
            ts=ts,
            onset_ts=crossing.first_ts,
            statistic=crossing.statistic,
            threshold=self._threshold,
            count=crossing.marked,
            evidence=evidence,
            examples=crossing.examples,
        )

    def dump(self) -> bytes:
        """Returns the whole state: equal state is equal bytes."""
        return pack({model: _held(watch) for model, watch in self._at.items()})

    def load(self, data: bytes) -> None:
        """Replaces the state.

        Raises:
            StateError: it is no state of this version; the detector then stays as it was.
        """
        try:
            held = msgspec.msgpack.decode(data, type=dict[str, _Held])
            at = {model: self._loaded(one) for model, one in held.items()}
        except (msgspec.DecodeError, StateError) as error:
            raise StateError(f"{ID}: a state of v{VERSION} expected; {error}") from error
        self._at = at

    def _loaded(self, held: _Held) -> Watch:
        shares, counts = CallerShares(held.usual, self._threshold), CallerCounts()
        shares.load(held.shares)
        counts.load(held.counts)
        return Watch(held.baseline, held.usual, shares, counts, held.high_ms, held.spent_ms)


def _held(watch: Watch) -> _Held:
    return _Held(watch.baseline, watch.usual, watch.counts.dump(), watch.shares.dump(), watch.high_ms, watch.spent_ms)
