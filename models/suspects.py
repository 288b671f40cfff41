"""Suspects: the callers of one shard that are beyond their allowance, and what is read of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from models import caller_windows
from models.caller_pace import TICK_US, Pace
from models.caller_table import CallerTable
from models.suspect import FASTER, MAX_EXAMPLES, Suspect
from models.usual import Usual
from tocsin.reading import Evidence, Reading
from tocsin.rows import Rows

ID = "probe_rate"
VERSION = 3
AGAIN = 10
AGAIN_US = 600_000_000
"""A caller that goes on is read again when its calls have grown so many times, or after so long."""

MAX_SUSPECTS = 4_096
HELD_ALARMED = 1e6


@dataclass(slots=True)
class Suspects:
    """Those of one shard; bounded.

    Attributes:
        threshold: A, seconds.
        shards: how many share the weights.
        at: place in the table → evidence.
    """

    threshold: float
    shards: int
    at: dict[int, Suspect] = field(default_factory=dict)

    def weigh(self, rows: Rows, row_of: NDArray[np.int64], step: Pace, usual: Usual, table: CallerTable) -> list[Reading]:
        """Returns the readings of this step's excess calls, in row order.

        Args:
            rows: of the model.
            row_of: int64 (calls,), which row each call of the step is.
            step: not yet committed.
            usual: of the model.
            table: that the step is of.
        """
        found: list[tuple[int, Reading]] = []
        for group in step.groups_with_excess():
            slot, last = int(step.slots[group]), step.last(group)
            suspect = self.at.get(slot)
            if suspect is not None and suspect.key != int(table.key[slot]):
                suspect = None
            if suspect is not None and suspect.told and not _again(suspect, step.count(last), int(step.time_us[last])):
                continue
            for at in step.excess_of(group):
                row = int(row_of[at])
                if suspect is None:
                    suspect = self._accuse(slot, int(table.key[slot]), step, at, usual)
                if self._crosses(suspect, rows, row, step, at, table.size * self.shards):
                    found.append((row, self._reading(rows, row, suspect, step, at, usual)))
        return [reading for _, reading in sorted(found, key=lambda item: item[0])]

    def forget(self, usual: Usual, table: CallerTable) -> None:
        """Drops this model's suspects that have paid back all they borrowed: they are free to start anew."""
        now_us = usual.tick * TICK_US
        for slot, suspect in list(self.at.items()):
            if suspect.key != int(table.key[slot]):
                del self.at[slot]
            elif table.group[slot] == usual.number and table.data["due_us"][slot] <= now_us:
                del self.at[slot]
                table.held[slot] = 0.0

    def _accuse(self, slot: int, key: int, step: Pace, at: int, usual: Usual) -> Suspect:
        if len(self.at) >= MAX_SUSPECTS:
            weakest = sorted(self.at, key=lambda s: (self.at[s].told > 0, self.at[s].statistic, s))
            for other in weakest[: MAX_SUSPECTS // 4]:
                del self.at[other]
        busy_us = step.busy_us(at)
        usual_per_min = step.usual_per_s(at) * 60.0 / usual.grace
        suspect = Suspect(key, busy_us, busy_us // 1000, [0.0] * len(FASTER), [], usual_per_min)
        self.at[slot] = suspect
        return suspect

    def _crosses(self, suspect: Suspect, rows: Rows, row: int, step: Pace, at: int, places: int) -> bool:
        """Returns whether this excess call is to be read: at the alarm, and again while it goes on."""
        count, time_us = step.count(at), int(step.time_us[at])
        if suspect.told:
            again = _again(suspect, count, time_us)
            if again:
                suspect.told, suspect.told_us = count, time_us
            return again
        if len(suspect.examples) < MAX_EXAMPLES:
            suspect.examples.append(rows.coordinates(row))
        statistic = suspect.excess(time_us, step.usual_per_s(at), places)
        step.hold(at, math.log1p(statistic) + 1.0)
        if statistic < self.threshold:
            return False
        suspect.told, suspect.told_us, suspect.peak = count, time_us, statistic
        step.hold(at, HELD_ALARMED)
        return True

    def _reading(self, rows: Rows, row: int, suspect: Suspect, step: Pace, at: int, usual: Usual) -> Reading:
        count, ts, group = step.count(at), int(rows.ts[row]), int(step.group[at])
        rate = count / max((int(step.time_us[at]) / 1e6 - suspect.onset_ms / 1e3) / 60.0, 1 / 60)
        evidence: Evidence = {
            "calls_since_onset": count,
            "rate_per_min": round(rate, 2),
            "usual_per_min": round(suspect.usual_per_min, 3),
            "times_usual": round(rate / suspect.usual_per_min, 1),
            "population_per_min": round(usual.per_min, 3),
            "burst_allowed": step.burst(at),
            **caller_windows.counts(step.callers[group], step.time_us[int(step.starts[group]) : at + 1]),
        }
        return Reading(
            detector=ID,
            version=VERSION,
            model=rows.model,
            watches="caller rate",
            caller=rows.caller_of(row),
            at=rows.coordinates(row),
            ts=ts,
            onset_ts=suspect.onset_ms,
            statistic=suspect.peak,
            threshold=self.threshold,
            count=count,
            evidence=evidence,
            examples=tuple(suspect.examples),
        )


def _again(suspect: Suspect, count: int, time_us: int) -> bool:
    """Returns whether a suspect that was read is to be read again."""
    return count >= suspect.told * AGAIN or time_us >= suspect.told_us + AGAIN_US
