"""Feed: plays the show into the raw topic, in a thread, never further ahead of Tocsin than the embedded broker can remember."""

from __future__ import annotations

import threading
from typing import Final

from drills.play import Batch
from streams.demo.show import TOPIC, Show
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
        calm_events: events sent before the attack began.
        attack_ts: event times of the attack's events sent so far.
        error: what ended it early, or None.
    """

    def __init__(self, show: Show, kafka: Kafka) -> None:
        """Prepares; `start` plays."""
        self.show = show
        self.sent = self.watched = self.calm_events = 0
        self.now_ms = show.plan.start_ms
        self.attack_ts: list[int] = []
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

    def _play(self) -> None:
        try:
            show = self.show
            simulate_to_topic(show.scenario, show.plan, self._kafka, TOPIC, tempo=show.event_ms, watch=self._note)
        except StoppedError:
            pass
        except Exception as error:
            self.error = error

    def _note(self, batch: Batch, first: int, end: int) -> None:
        """Counts what was sent, then waits until Tocsin has caught up."""
        attack = [ts for ts, theirs in zip(batch.ts[first:end], batch.attack[first:end], strict=True) if theirs]
        if not self.attack_ts:
            self.calm_events += batch.attack.index(True, first, end) - first if attack else end - first
        self.attack_ts += attack
        self.sent += end - first
        self.now_ms = batch.ts[end - 1]
        while self.sent - self.watched > MAX_AHEAD and not self._stop.is_set():
            self._stop.wait(NAP_S)
        if self._stop.is_set():
            raise StoppedError
