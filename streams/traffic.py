"""Traffic: how many events each model had, minute by minute; what a caller's share is measured against."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import msgspec

from tocsin.codec import pack
from tocsin.reading import Tally
from tocsin.state import Section

MINUTE_MS = 60_000
KEPT_MINUTES = 24 * 60
MAX_MODELS = 1_000
SECTION = "traffic"
VERSION = 1


@dataclass(slots=True)
class Traffic:
    """Events per model and minute over the last day.

    Attributes:
        minutes: model → [(minute, events)], oldest first.
    """

    minutes: dict[str, deque[tuple[int, int]]] = field(default_factory=dict)

    def add(self, tally: Tally) -> None:
        """Counts a frame's rows in the minute of its last event; a model beyond MAX_MODELS replaces the stalest."""
        series = self.minutes.get(tally.model)
        if series is None:
            if len(self.minutes) >= MAX_MODELS:
                del self.minutes[min(self.minutes, key=lambda model: (self.minutes[model][-1][0], model))]
            series = self.minutes[tally.model] = deque()
        minute = tally.last_ts // MINUTE_MS
        if series and minute <= series[-1][0]:
            series[-1] = (series[-1][0], series[-1][1] + tally.rows)
        else:
            series.append((minute, tally.rows))
        while series[0][0] <= series[-1][0] - KEPT_MINUTES:
            series.popleft()

    def since(self, model: str, ts: int) -> int:
        """Returns the model's events from the minute of `ts` (Unix milliseconds) on, at most a day back."""
        first = ts // MINUTE_MS
        return sum(events for minute, events in self.minutes.get(model, ()) if minute >= first)

    def dump(self) -> Section:
        """Returns the counts."""
        return Section(VERSION, pack({model: list(series) for model, series in self.minutes.items()}))

    def load(self, section: Section) -> None:
        """Replaces the counts."""
        loaded = msgspec.msgpack.decode(section.data, type=dict[str, list[tuple[int, int]]])
        self.minutes = {model: deque(series) for model, series in loaded.items()}
