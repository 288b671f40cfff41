"""Feed: plays the show into the raw topic, in a thread, never further ahead of Tocsin than the embedded broker can remember."""

from __future__ import annotations

import threading
from functools import partial
from typing import Final

from drills.play import Batch
from drills.scenarios import SCENARIOS
from streams.demo.measure import Episode
from streams.demo.show import TOPIC, Chapter, Show
from streams.simulate import simulate_to_topic
from tocsin.config import Kafka

MAX_AHEAD: Final = 5_000
"""Events sent and not yet watched; the embedded broker keeps 5 MB of a partition, about 8,000."""

NAP_S: Final = 0.01


class StoppedError(Exception):
    """The demo ended before the show did."""


class Feed:
    """One playing of the show.

    Attributes:
        sent: events handed to Kafka so far.
        watched: events that came out of sense; whoever listens keeps it.
        now_ms: event time of the last event sent, Unix milliseconds.
        calm_events: events sent outside all episodes.
        chapter: the one being played.
        episode_ts: per chapter, the event times of what happened in it so far.
        error: what ended it early, or None.
    """

    def __init__(self, show: Show, kafka: Kafka) -> None:
        """Prepares; `start` plays."""
        self.show = show
        self.sent = self.watched = self.calm_events = 0
        self.chapter: Chapter = show.chapters[0]
        self.now_ms = self.chapter.plan.start_ms
        self.episode_ts: list[list[int]] = [[] for _ in show.chapters]
        self.error: Exception | None = None
        self._kafka = kafka
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._play, name="feed", daemon=True)

    def start(self) -> None:
        """Begins to play."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the playing, wherever it stands."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    @property
    def done(self) -> bool:
        """Whether everything was played, or cannot be."""
        return self._thread.ident is not None and not self._thread.is_alive()

    def episodes(self) -> list[Episode]:
        """Returns what has happened so far, in order."""
        return [
            Episode(
                scenario=chapter.scenario,
                kind=SCENARIOS[chapter.scenario].kind,
                callers=frozenset(chapter.plan.attackers()) if SCENARIOS[chapter.scenario].attack else frozenset(),
                ts=ts,
                end_ms=chapter.plan.at_ms(1.0),
                names=chapter.names,
            )
            for chapter, ts in zip(self.show.chapters, self.episode_ts, strict=True)
            if ts
        ]

    def _play(self) -> None:
        try:
            for chapter, ts in zip(self.show.chapters, self.episode_ts, strict=True):
                self.chapter = chapter
                happens = _Happens(chapter, ts)
                simulate_to_topic(
                    chapter.scenario,
                    chapter.plan,
                    self._kafka,
                    TOPIC,
                    tempo=chapter.event_ms,
                    watch=partial(self._note, happens),
                )
        except StoppedError:
            pass
        except Exception as error:
            self.error = error

    def _note(self, happens: _Happens, batch: Batch, first: int, end: int) -> None:
        """Counts what was sent, then waits until Tocsin has caught up."""
        self.calm_events += end - first - happens.take(batch, first, end)
        self.sent += end - first
        self.now_ms = batch.ts[end - 1]
        while self.sent - self.watched > MAX_AHEAD and not self._stop.is_set():
            self._stop.wait(NAP_S)
        if self._stop.is_set():
            raise StoppedError


class _Happens:
    """Which events of a chapter belong to what happens in it: the attacker's, or everybody's once traffic has changed."""

    def __init__(self, chapter: Chapter, ts: list[int]) -> None:
        scenario = SCENARIOS[chapter.scenario]
        self._attack, self._changes = scenario.attack, scenario.nature != "calm"
        self._onset_ms = chapter.plan.at_ms(chapter.plan.onset)
        self._ts = ts

    def take(self, batch: Batch, first: int, end: int) -> int:
        """Notes the times of those among the events [first, end) and returns how many they are."""
        before = len(self._ts)
        for ts, attack in zip(batch.ts[first:end], batch.attack[first:end], strict=True):
            if attack or (self._changes and not self._attack and ts >= self._onset_ms):
                self._ts.append(ts)
        return len(self._ts) - before
