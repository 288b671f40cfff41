"""Search: questions that come nearer and nearer to a decision boundary, or come near it from callers whom nobody knows.

Theory. Whoever wants to know a threshold halves, with every question, what the answers have left open. So its k-th
question is as near as one golden row in 2^k, while the p-values u of ordinary rows (`margins.py`) are at least uniform.
An expert bets that a share ε of near rows homes in, to within 2^-k:

    e = 1 - ε + ε c / max(u, 2^-k),    c = 1 / (1 + k log 2)

that is, evenly over k octaves of u. Its mean is at most 1, for it falls with u and integrates to 1 (a calibrator: Shafer
et al. 2011; Vovk and Wang 2021). Another bets that many strangers come near (`strangers.py`); a third bets both, and then
looks at no row of a caller who is known. R ← (R + seconds)·e as in `shiryaev_roberts.py`, averaged over experts.

Rows are not independent: a template that many send, a sensor, a retry come to the same place again and again, by chance
near the boundary. A search does not, it goes on. So places are counted, not rows: by the half-octave of the distance and
the side of the boundary. How near a row is that comes where one of the last MEMORY near rows was is no news, and can only
lower R.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.margins import Scale
from models.strangers import KNOWN, NEW, PURE, Floats, Level, Shares, level_of, pay_offs
from tocsin.codec import pack

Signal = Literal["homing", "strangers", "homing strangers"]

NOTHING: Final = (0.0, 0.0)
EXPERTS: Final[tuple[tuple[float, int, tuple[float, float]], ...]] = (
    *((share, octaves, NOTHING) for share in (0.9, 0.3, 0.05) for octaves in (8, 14)),
    *((0.0, 1, bets) for bets in ((0.9, 0.9), (0.4, 0.6), (0.0, 0.8), (0.0, 0.4))),
    *((0.9, octaves, bets) for octaves in (8, 14) for bets in ((0.4, 0.8), (0.0, 0.6))),
)
"""ε, k, and what is bet on new and on pure callers, see `strangers.pay_offs`."""
MEMORY: Final = 128
ASKED: Final = 64
CELLS: Final = 256
"""Into which the near zone is divided."""
LEAST_ZONE: Final = 1e-12
LARGEST: Final = 1e30
LEAST_LOG: Final = -700.0
REST_S: Final = 600.0
"""After an alarm nothing is staked for so long."""


class _State(msgspec.Struct, array_like=True):
    """What is remembered.

    Attributes:
        staked: R of each expert, seconds.
        evidence: its log of evidence since it last was 0 (CUSUM, Page 1954).
        since: number of the near row at which that began.
        rows: near rows so far.
        rest_s: how long nothing is staked yet.
        places: place of each of the last near rows, oldest first.
        asked: cell of the near zone of each of the last strangers' near rows.
        level: of the known.
    """

    staked: list[float]
    evidence: list[float]
    since: list[int]
    rows: int
    rest_s: float
    places: list[int]
    asked: list[int]
    level: Level


@dataclass(frozen=True, slots=True)
class Found:
    """An alarm.

    Attributes:
        signal: what the expert with most evidence bets on.
        statistic: mean R, seconds.
        rows: near rows since the onset.
    """

    signal: Signal
    statistic: float
    rows: int


class Search:
    """One model's near rows.

    Args:
        scale: says how rare a distance is.
        shares: largest golden probability to be near, of new, pure and known callers.
        threshold: A, seconds.
    """

    def __init__(self, scale: Scale, shares: Shares, threshold: float) -> None:
        self.threshold = threshold
        self._scale, self._shares = scale, shares
        self._share = np.array([share for share, _, _ in EXPERTS])
        self._nearest = 2.0 ** -np.array([octaves for _, octaves, _ in EXPERTS])
        self._bets = np.array([bets for _, _, bets in EXPERTS])
        self._of_strangers = self._bets.any(axis=1)
        count = len(EXPERTS)
        self._now = _State([0.0] * count, [0.0] * count, [0] * count, 0, 0.0, [], [], level_of(shares))

    def weigh(self, distance: NDArray[np.float32], kinds: list[int], far: tuple[int, int, int], seconds: float) -> Found | None:
        """Returns what was found if one of these near rows was an alarm; it then begins anew.

        Args:
            distance: float32 (near rows,), how far above the boundary, in order.
            kinds: of their callers.
            far: rows of each kind of caller that were not near, since the last near rows.
            seconds: of the alert budget, known before these rows were.
        """
        now = self._now
        hit, miss = pay_offs(self._shares, now.level, self._bets)
        staked, evidence = np.array(now.staked), np.array(now.evidence)
        staked += seconds if now.rest_s <= 0 else 0.0
        now.rest_s = max(now.rest_s - seconds, 0.0)
        lost = np.maximum(far[NEW] * miss[:, NEW] + far[PURE] * miss[:, PURE], LEAST_LOG)
        staked, evidence = staked * np.exp(lost), np.maximum(evidence + lost, 0.0)
        found = None
        logs, cells = self._logs(distance), self._cells(distance)
        for place, cell, kind, log in zip(places_of(distance), cells, kinds, logs, strict=True):
            gain = self._gain(hit, place, cell, kind, log)
            now.since = [now.rows if one <= 0 else at for one, at in zip(evidence.tolist(), now.since, strict=True)]
            now.rows += 1
            evidence = np.maximum(evidence + gain, 0.0)
            staked = np.minimum(staked * np.exp(gain), LARGEST)
            statistic = float(np.add.reduce(staked)) / len(staked)
            if statistic >= self.threshold:
                best = int(staked.argmax())
                found = found or Found(self._signal(best), statistic, now.rows - now.since[best])
                staked[:], evidence[:] = 0.0, 0.0
                now.rest_s = REST_S
        now.staked, now.evidence = staked.tolist(), evidence.tolist()
        now.level.learn(kinds.count(KNOWN), far[KNOWN])
        return found

    @property
    def statistic(self) -> float:
        """Returns mean R as it stands, seconds."""
        return sum(self._now.staked) / len(self._now.staked)

    def _gain(self, hit: Floats, place: int, cell: int, kind: int, log: Floats) -> Floats:
        """Returns log e of one near row, and remembers where it was."""
        now = self._now
        gain = np.minimum(log, 0.0) if place in now.places else log
        now.places = [*now.places, place][-MEMORY:]
        if kind == KNOWN:
            return np.where(self._of_strangers, 0.0, gain)
        if cell not in now.asked:
            gain = gain + hit[:, kind]
        now.asked = [*now.asked, cell][-ASKED:]
        return gain

    def _cells(self, distance: NDArray[np.float32]) -> list[int]:
        """Returns in which part of the near zone each row lies."""
        zone = max(float(self._scale.distances[-1]), LEAST_ZONE)
        parts = np.clip(distance.astype(np.float64) / zone, -1.0, 1.0) * (CELLS / 2)
        cells: list[int] = np.floor(parts).astype(np.int64).tolist()
        return cells

    def _logs(self, distance: NDArray[np.float32]) -> Floats:
        """Returns log e of how near each row is, float64 (near rows, experts)."""
        rarity = self._scale.rarity(np.abs(distance).astype(np.float64))[:, None]
        paid = 1.0 / (1.0 - np.log(self._nearest)) / np.maximum(rarity, self._nearest)
        logs: Floats = np.log(1.0 - self._share + self._share * paid)
        return logs

    def _signal(self, expert: int) -> Signal:
        share, _, bets = EXPERTS[expert]
        if bets == NOTHING:
            return "homing"
        return "homing strangers" if share else "strangers"

    def dump(self) -> bytes:
        """Returns the whole state: equal state is equal bytes."""
        return pack(self._now)

    def load(self, data: bytes) -> None:
        """Replaces the state.

        Raises:
            msgspec.DecodeError: it is no state.
        """
        self._now = msgspec.msgpack.decode(data, type=_State)


def places_of(distance: NDArray[np.float32]) -> list[int]:
    """Returns each row's place: the half-octave of its distance and the side, as the float's leading bits tell them."""
    bits = distance.astype(np.float32).view(np.uint32)
    places: list[int] = (bits >> np.uint32(22)).tolist()
    return places
