"""Newcomer cohort: many new accounts that each ask a little of everything, as whoever copies a model must.

Theory. One such account is no evidence; hundreds that come together are. What the scouts tell of newcomers is a sequence of
Bernoulli trials: was this one even (`evenness.py`)? As long as newcomers are like golden callers, even ones are a share of at
most q of those that took as long, so each octave of time has its own bets, e = 1 + λ (even/q - 1) with λ = .1, .2, .5, .8, of
mean at most 1 (testing by betting: Waudby-Smith and Ramdas 2024, JRSS B 86). With the time that passes between two newcomers
a second is staked on every octave and bet for every second of the alert budget (Shiryaev 1963):

    R ← R + seconds;  R[octave] ← R[octave]·e;  alarm when mean R ≥ A = seconds of a month / alerts a month

and begin anew once it has fallen below A again; as long as it has not, the attack goes on and is told once an hour. So false
alarms are at most the budget, however many customers a campaign brings, as long as no more than q of them are even. q is three
times the golden share or more: that is an assumption about customers, which the replay gate tries on golden traffic. Who
imitates a customer's habits, hides among batch clients, or leaves every account before its n0-th question is not seen. What
follows is a question to people, and a quota for newcomers: each of them may be a customer.
"""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.baseline import Baseline
from models.detector import Seat
from models.evenness import bin_of, cells_visited, face_of
from models.newcomer_scout import TOLD
from models.shiryaev_roberts import MONTH_S, MOST_SECONDS
from tocsin.codec import pack
from tocsin.errors import ConfigError, StateError
from tocsin.reading import Evidence, Reading, Reports

ID: Final = "newcomer_cohort"
VERSION: Final = 1
BETS: Final = np.array([0.1, 0.2, 0.5, 0.8])
HOUR_MS: Final = 3_600_000
TELL_MS: Final = HOUR_MS
"""While an attack lasts it is told so often."""
CEILING: Final = 10.0
"""Mean R grows to so many times A at most: an attack that is over must soon look so."""
ORDINARY: Final = 0.95
"""Share of golden callers that a quota must not touch."""

Floats = NDArray[np.float64]
Told = NDArray[np.void]


class _Run(msgspec.Struct, array_like=True):
    """The newcomers of one octave since a bet's evidence was last 0.

    Attributes:
        log: the bet's evidence since, in nats.
        since_ms: the first question of the first of them.
        newcomers: how many.
        even: of them.
        cells: that they visited together, as a mask.
    """

    log: float = 0.0
    since_ms: int = 0
    newcomers: int = 0
    even: int = 0
    cells: int = 0


class _Dump(msgspec.Struct, array_like=True):
    high_ms: int
    told: int
    told_ms: int
    sums: bytes
    runs: list[_Run]


class NewcomerCohort:
    """Watches the newcomers of one model.

    Args:
        baseline: the model's; one without `evenness` leaves nothing to do.
        alerts_per_month: false alarms that are allowed, > 0.

    Attributes:
        sums: float64 (bins, bets), R in seconds.
        runs: since when each bet has been winning, bin by bin.
    """

    def __init__(self, baseline: Baseline, alerts_per_month: float) -> None:
        self.threshold = MONTH_S / alerts_per_month
        self.evenness = baseline.evenness
        self._model = baseline.model
        self._high_ms = 0
        if self.evenness is not None:
            self._face = face_of(self.evenness, len(baseline.features))
            tolerated = self._face.tolerated[:, None]
            self._gains = np.log1p(BETS * (1.0 / tolerated - 1.0)), np.log1p(-BETS * np.ones_like(tolerated))
        self._begin_anew()

    def _begin_anew(self) -> None:
        bins = len(self._face.tolerated) if self.evenness is not None else 0
        self.sums: Floats = np.zeros((bins, len(BETS)))
        self.runs = [_Run() for _ in range(self.sums.size)]
        self._told = self._told_ms = 0

    def receive(self, reports: Reports, seconds: float) -> list[Reading]:
        """Returns the alarms that these newcomers complete.

        What is staked is the advance of event time from newcomer to newcomer, at most what the budget earned meanwhile: so
        neither how rows were cut nor when reports arrived makes a difference.
        """
        if self.evenness is None:
            return []
        told = np.frombuffer(reports.body, TOLD)
        octave = bin_of(self.evenness.fastest_ms, len(self._face.tolerated), told["last_ms"] - told["first_ms"]).tolist()
        even = (cells_visited(told["mask"]) >= self.evenness.threshold).tolist()
        readings = []
        for newcomer, at, is_even in zip(told.tolist(), octave, even, strict=True):
            self._weigh(newcomer, at, is_even)
            if self.sums.mean() < self.threshold:
                if self._told:
                    self._begin_anew()
            elif is_even and (not self._told or self._high_ms >= self._told_ms + TELL_MS):
                self._told, self._told_ms = self._told + 1, self._high_ms
                readings.append(self._reading(reports))
        return readings

    def _weigh(self, newcomer: tuple[int, int, int], octave: int, is_even: bool) -> None:
        """Bets on one newcomer, (mask, first_ms, last_ms)."""
        mask, first_ms, last_ms = newcomer
        high_ms = max(self._high_ms, last_ms)
        if self._high_ms:
            self.sums += min((high_ms - self._high_ms) / 1_000.0, MOST_SECONDS)
        self._high_ms = high_ms
        gains = self._gains[0 if is_even else 1][octave]
        most = CEILING * self.threshold * self.sums.size
        self.sums[octave] = np.minimum(self.sums[octave] * np.exp(gains), most)
        for bet, gain in enumerate(gains.tolist(), octave * len(BETS)):
            run = self.runs[bet]
            if run.log + gain <= 0.0:
                self.runs[bet] = _Run()
                continue
            run.log += gain
            run.since_ms = first_ms if run.newcomers == 0 else run.since_ms
            run.newcomers += 1
            run.even += is_even
            run.cells |= mask

    def _reading(self, reports: Reports) -> Reading:
        best = max(range(len(self.runs)), key=lambda bet: self.runs[bet].log)
        run, octave = self.runs[best], best // len(BETS)
        return Reading(
            detector=ID,
            version=VERSION,
            model=self._model,
            watches="newcomers",
            caller=None,
            at=reports.at,
            ts=self._high_ms,
            onset_ts=min(run.since_ms or self._high_ms, self._high_ms),
            statistic=float(self.sums.mean()),
            threshold=self.threshold,
            count=run.newcomers * (self.evenness.n0 if self.evenness is not None else 0),
            evidence=self._evidence(run, octave),
        )

    def _evidence(self, run: _Run, octave: int) -> Evidence:
        if self.evenness is None:
            return {}
        evenness, last = self.evenness, len(self._face.tolerated) - 1
        begins = evenness.fastest_ms * 2.0**octave / HOUR_MS
        took = f"{begins:.3g} h or more" if octave == last else f"{0 if octave == 0 else begins:.3g} to {2 * begins:.3g} h"
        return {
            "told": self._told,
            "newcomers": run.newcomers,
            "even_newcomers": run.even,
            "even_share": round(run.even / max(run.newcomers, 1), 3),
            "expected_share": round(float(self._face.expected[octave]), 3),
            "tolerated_share": round(float(self._face.tolerated[octave]), 3),
            "copying_share": round(evenness.copying, 3),
            "questions_each": evenness.n0,
            "cells_each": evenness.threshold,
            "cells_together": run.cells.bit_count(),
            "took": took,
            "quota_questions": evenness.n0,
            "quota_hours": round(quota_hours(evenness.fastest_ms, self._face.callers), 2),
        }

    def dump(self) -> bytes:
        """Returns the whole state: equal state is equal bytes."""
        return pack(_Dump(self._high_ms, self._told, self._told_ms, self.sums.astype("<f8").tobytes(), self.runs))

    def load(self, data: bytes) -> None:
        """Replaces the state.

        Raises:
            StateError: it is no state of this version and baseline; the detector then stays as it was.
        """
        try:
            dump = msgspec.msgpack.decode(data, type=_Dump)
            sums = np.frombuffer(dump.sums, "<f8").reshape(self.sums.shape).copy()
            if len(dump.runs) != sums.size:
                raise ValueError(f"{sums.size} runs expected, {len(dump.runs)} found")
        except ValueError as error:
            raise StateError(f"{ID}: a state of v{VERSION} expected; {error}") from error
        self._high_ms, self._told, self._told_ms, self.sums, self.runs = dump.high_ms, dump.told, dump.told_ms, sums, dump.runs


def quota_hours(fastest_ms: float, callers: Floats) -> float:
    """Returns in how many hours a newcomer may ask n0 questions without ORDINARY golden callers noticing the limit.

    Args:
        fastest_ms: as in `Evenness`.
        callers: golden callers per bin, fastest first.
    """
    slower = callers[::-1].cumsum()[::-1] / max(callers.sum(), 1.0)
    octave = int(np.flatnonzero(slower >= ORDINARY).max(initial=0))
    return fastest_ms * 2.0**octave / HOUR_MS


def build(seat: Seat) -> NewcomerCohort:
    """Returns one, cold.

    Raises:
        ConfigError: the seat has no baseline.
    """
    if seat.baseline is None:
        raise ConfigError(f"{ID} on {seat.model}: a baseline expected, none found")
    return NewcomerCohort(seat.baseline, seat.alerts_per_month)
