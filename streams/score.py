"""Score: what each detector with a baseline makes of each event of recorded traffic.

Two kinds of numbers, both with a p-value. `envelope` scores a row by itself (LODA, conformal p). The others follow a model:
their number is the Shiryaev-Roberts statistic R after the row's block of BLOCK rows, and as E[R] is at most the seconds
staked so far, P(R ≥ r) ≤ seconds / r (Markov's inequality): that is their p. Nothing is reset here, whatever they say.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from models import loda
from models.baseline import Baseline
from models.census import Census
from models.envelope import ID as ENVELOPE
from models.gate import WATCHED
from models.quantity import features_of
from models.shiryaev_roberts import LARGEST, MOST_SECONDS, Bank
from tocsin.errors import ConfigError
from tocsin.event import Coordinates
from tocsin.frame import Frame
from tocsin.reading import Counts
from tocsin.rows import Rows, rows_of

BLOCK: Final = 64
"""Rows after which the statistics are taken."""
DETECTORS: Final = tuple(WATCHED)


class Score(NamedTuple):
    """One detector's number for one event.

    Attributes:
        at: where the event entered.
        detector: id.
        score: LODA score in nats, or R in seconds; None where the event has nothing that the detector reads.
        p: in (0, 1], None with the score.
    """

    at: Coordinates
    detector: str
    score: float | None
    p: float | None


def scores(frames: Iterable[tuple[int, Frame]], baseline: Baseline, detectors: tuple[str, ...] = DETECTORS) -> Iterator[Score]:
    """Yields the scores of every event of the baseline's model, event by event.

    Args:
        frames: (shard, frame) pairs of one shard.
        baseline: the model's.
        detectors: ids, some of DETECTORS.

    Raises:
        ConfigError: a detector has no scores.
    """
    if unknown := sorted(set(detectors) - set(DETECTORS)):
        raise ConfigError(f"detector: some of {', '.join(DETECTORS)} expected; got {', '.join(unknown)}")
    following = _Following(baseline, tuple(name for name in detectors if name != ENVELOPE))
    for _, frame in frames:
        for block in frame.blocks:
            if block.kind == "inference" and block.model == baseline.model:
                rows = rows_of(block, frame.sources)
                for begin in range(0, len(rows), BLOCK):
                    some = rows.select(slice(begin, begin + BLOCK))
                    yield from _in_event_order(some, baseline, following, ENVELOPE in detectors)


def _in_event_order(rows: Rows, baseline: Baseline, following: _Following, envelope: bool) -> Iterator[Score]:
    running = following.after(rows)
    alone: list[tuple[str, list[tuple[float, float]]]] = []
    if envelope and baseline.envelope is not None:
        found = loda.scores(baseline.envelope, features_of(baseline.features, rows))
        p = loda.p_values(baseline.envelope, found)
        alone.append((ENVELOPE, list(zip(found.tolist(), p.tolist(), strict=True))))
    for row in range(len(rows)):
        at = rows.coordinates(row)
        for detector, numbers in alone:
            score, chance = numbers[row]
            known = score == score
            yield Score(at, detector, score if known else None, chance if known else None)
        for detector, score, chance in running:
            yield Score(at, detector, score, chance)


class _Following:
    """The statistics of the detectors that follow the model."""

    def __init__(self, baseline: Baseline, detectors: tuple[str, ...]) -> None:
        self._census = Census(baseline, 1)
        self._banks = {
            name: Bank(baseline, baseline.of(*watches), 1.0 / LARGEST, directions, owner=name)
            for name, (watches, directions) in WATCHED.items()
            if name in detectors
        }
        self._latest_ms, self._earned_s, self._staked_s = 0, 0.0, 0.0

    def after(self, rows: Rows) -> list[tuple[str, float, float]]:
        """Returns (detector, R, p) of each after these rows."""
        if not self._banks:
            return []
        for counted in self._census.count(rows):
            at = rows.coordinates(counted.last_row)
            counts = Counts(
                rows.model, "", 0, "armed", counted.bucket, counted.rows, counted.first_ts, counted.last_ts, at, b"", b""
            )
            for bank in self._banks.values():
                bank.weigh(counts, counted.weights, self._earned_s)
            self._staked_s += self._earned_s
            latest = max(self._latest_ms, counted.last_ts)
            self._earned_s = min((latest - self._latest_ms) / 1_000, MOST_SECONDS) if self._latest_ms else 0.0
            self._latest_ms = latest
        return [
            (name, r := bank.statistic, min(1.0, self._staked_s / r) if r > 0 else 1.0) for name, bank in self._banks.items()
        ]
