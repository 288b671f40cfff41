"""Score: what each detector with a baseline makes of each event of recorded traffic.

An event's numbers are found in ledger order, block by block of at most BLOCK rows, by the detectors' own arithmetic
(`scorers.py`): no event's number knows of events after its block.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from models.baseline import Baseline
from streams.score_block import Blocks, Numbers
from streams.scorers import SCORERS
from tocsin.errors import ConfigError
from tocsin.event import Coordinates
from tocsin.frame import Frame
from tocsin.rows import Rows, rows_of

BLOCK: Final = 64
"""Rows after which the numbers of whole models are taken."""
DETECTORS: Final = tuple(SCORERS)


class Score(NamedTuple):
    """One detector's number for one event.

    Attributes:
        at: where the event entered.
        detector: id.
        score: see `scorers.py`; None where the event has nothing that the detector reads.
        p: in (0, 1]; None with the score, or where a detector has none.
        because: names of the features to blame, the worst first; empty where nothing is blamed.
    """

    at: Coordinates
    detector: str
    score: float | None
    p: float | None
    because: tuple[str, ...] = ()


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
    blocks, scorers = Blocks(baseline), {name: SCORERS[name](baseline) for name in detectors}
    for rows in _blocks(frames, baseline.model):
        block = blocks.block(rows)
        yield from _in_event_order(rows, {name: scorer(block) for name, scorer in scorers.items()})


def _blocks(frames: Iterable[tuple[int, Frame]], model: str) -> Iterator[Rows]:
    """Yields the model's rows, at most BLOCK at a time."""
    for _, frame in frames:
        for block in frame.blocks:
            if block.kind == "inference" and block.model == model:
                rows = rows_of(block, frame.sources)
                for begin in range(0, len(rows), BLOCK):
                    yield rows.select(slice(begin, begin + BLOCK))


def _in_event_order(rows: Rows, found: Mapping[str, Numbers]) -> Iterator[Score]:
    columns = [(name, one.score.tolist(), one.p.tolist(), one.because) for name, one in found.items()]
    for row in range(len(rows)):
        at = rows.coordinates(row)
        for name, score, p, because in columns:
            yield Score(at, name, _known(score[row]), _known(p[row]), because[row] if because else ())


def _known(value: float) -> float | None:
    return value if value == value else None
