"""A frame given to a shard's detector in one piece, and what happens when that raises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from models.detector import Entry
from streams.bank import Bank
from tests.helpers.detectors import EveryRow, entry
from tests.helpers.frames import FRAUD, rows
from tocsin.clock import Clock
from tocsin.config import Detection
from tocsin.reading import Reading
from tocsin.rows import Rows

CHURN = "prod/churn@1"


@dataclass
class WholeFrames(EveryRow):
    """Reads every row of a frame at once; raises at `bad` models, at `most` blocks and more, and counts what it was given."""

    bad: tuple[str, ...] = ()
    most: int = 99
    given: list[int] = field(default_factory=list)

    def observe(self, rows: Rows, clock: Clock) -> list[Reading]:
        """Returns one reading a row."""
        if rows.model in self.bad:
            raise ValueError("bad")
        return super().observe(rows, clock)

    def observe_blocks(self, blocks: Sequence[Rows], clock: Clock) -> list[Reading]:
        """Returns one reading a row of all blocks."""
        self.given.append(len(blocks))
        if len(blocks) >= self.most:
            raise ValueError("too many")
        return [reading for rows in blocks for reading in self.observe(rows, clock)]


def bank_of(detector: WholeFrames) -> Bank:
    entries: Mapping[str, Entry] = {"whole": entry(EveryRow)}
    return Bank(0, Detection(), entries, detectors={("whole", ""): detector})


def test_a_frame_is_one_piece_to_a_detector_that_can_take_it() -> None:
    detector = WholeFrames()
    readings, faults = bank_of(detector).observe_all([rows(range(3)), rows(range(3, 5), model=CHURN)], Clock(), "here")
    assert [reading.model for reading in readings] == [FRAUD] * 3 + [CHURN] * 2
    assert (detector.given, faults) == ([2], [])


def test_the_model_at_which_it_raises_is_left_out_and_the_others_are_not() -> None:
    detector = WholeFrames(bad=(FRAUD,))
    bank = bank_of(detector)
    readings, faults = bank.observe_all([rows(range(3)), rows(range(3, 5), model=CHURN)], Clock(), "here")
    assert [reading.model for reading in readings] == [CHURN] * 2
    assert [(fault.detector, fault.model) for fault in faults] == [("whole", FRAUD)]
    again, faults = bank.observe_all([rows(range(5, 8)), rows(range(8, 9), model=CHURN)], Clock(), "there")
    assert [reading.model for reading in again] == [CHURN]
    assert faults == []


def test_one_that_raises_only_at_whole_frames_is_disabled_for_the_shard() -> None:
    bank = bank_of(WholeFrames(most=2))
    _, faults = bank.observe_all([rows(range(3)), rows(range(3, 5), model=CHURN)], Clock(), "here")
    assert [(fault.detector, fault.model) for fault in faults] == [("whole", "")]
    assert bank.observe_all([rows(range(5, 8))], Clock(), "there") == ([], [])
