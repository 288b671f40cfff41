"""Run: the order of the evening — start, play, listen, wait for the echo, judge."""

from __future__ import annotations

import sys
import time
from collections import deque
from pathlib import Path
from typing import Final

from rich.console import Console

from streams.baselines.promoting import promote
from streams.demo.feed import Feed
from streams.demo.history import learn_history
from streams.demo.measure import Seen, Summary, summarize
from streams.demo.processes import Processes
from streams.demo.show import Show, five_days
from streams.demo.tail import Tail
from streams.demo.view import Picture, Plain, Scene, View, summary_lines
from tocsin.codec import json_bytes
from tocsin.errors import BrokerError, Exit, FileError

LIMIT_S: Final = 165.0
"""The whole demo ends before three minutes, found or not."""

ECHO_S: Final = 3.0
"""After the last event has been watched: judge and triage follow within a second."""

RATE_S: Final = 5.0
"""What `lately` means for a rate."""

LISTEN_S: Final = 0.1


def demo(json_file: Path | None = None, show: Show | None = None) -> Exit:
    """Plays the demo, prints it and its summary.

    Args:
        json_file: where to write the result too.
        show: what to play, `five_days()` unless given.

    Returns:
        OK, or CHECK_FAILED when something was missed or calm traffic raised a finding of medium or above.

    Raises:
        BrokerError: a process did not start, or ended.
        FileError: the result cannot be written.
    """
    view: View = Picture(Console()) if sys.stdout.isatty() else Plain(time.monotonic)
    began = time.monotonic()
    try:
        summary = _perform(show or five_days(), view, began + LIMIT_S)
    finally:
        view.close()
    sys.stdout.write("".join(f"{line}\n" for line in summary_lines(summary, time.monotonic() - began)))
    if json_file is not None:
        _write(json_file, summary)
    return Exit.OK if summary.ok else Exit.CHECK_FAILED


def _perform(show: Show, view: View, deadline: float) -> Summary:
    scene = Scene()
    view.update(scene)
    with Processes() as processes, Tail(processes.kafka) as tail:
        scene.says = "learning what is normal from two calm weeks of history, and trying it on the last days of them"
        view.update(scene)
        baseline = learn_history(show, processes.config, processes.key)
        promote(processes.kafka, baseline, "armed", "demo", "two calm weeks")
        feed = Feed(show, processes.kafka)
        feed.start()
        try:
            play = _Play(show, feed, tail, view, scene, deadline)
            while play.goes_on():
                processes.check()
        finally:
            feed.stop()
    if feed.error is not None:
        raise feed.error
    return summarize(feed.episodes(), play.findings, feed.calm_events, play.rate())


class _Play:
    """The show as its spectator sees it.

    Attributes:
        findings: every finding record so far.
    """

    def __init__(self, show: Show, feed: Feed, tail: Tail, view: View, scene: Scene, deadline: float) -> None:
        self.findings: list[Seen] = []
        self._show, self._feed, self._tail, self._view, self._scene = show, feed, tail, view, scene
        self._deadline = deadline
        self._began = self._watched_at = time.monotonic()
        self._lately: deque[tuple[float, int]] = deque([(self._began, 0)])

    def goes_on(self) -> bool:
        """Listens for a moment; returns whether there is more to come.

        Raises:
            BrokerError: the show did not end in time.
        """
        heard = self._tail.listen(LISTEN_S)
        now = time.monotonic()
        if heard.watched:
            self._feed.watched += heard.watched
            self._watched_at = now
        self._lately.append((now, self._feed.watched))
        while self._lately[0][0] < now - RATE_S and len(self._lately) > 1:
            self._lately.popleft()
        for seen in heard.findings:
            self.findings.append(seen)
            self._scene.incidents[seen.uid] = seen
            self._view.finding(seen)
        self._see(now)
        if now > self._deadline:
            raise BrokerError(
                f"demo: all events must be watched within {LIMIT_S:.0f} s; {self._feed.watched:,} of {self._feed.sent:,} were"
            )
        whole = self._feed.done and self._feed.watched >= self._feed.sent
        return not (whole and now - self._watched_at >= ECHO_S) and self._feed.error is None

    def rate(self) -> float:
        """Returns events watched per second since the show began."""
        return self._feed.watched / max(self._watched_at - self._began, 0.001)

    def _see(self, now: float) -> None:
        scene, feed, show = self._scene, self._feed, self._show
        then, watched = self._lately[0]
        first, last = show.chapters[0].plan, show.chapters[-1].plan
        scene.now_ms, scene.sent, scene.watched = feed.now_ms, feed.sent, feed.watched
        scene.part = min((feed.now_ms - first.start_ms) / (last.at_ms(1.0) - first.start_ms), 1.0)
        scene.events_per_s = (feed.watched - watched) / max(now - then, 0.001)
        scene.says = "the week is over; waiting for the last findings" if feed.done else _act(feed)
        self._view.update(scene)


def _act(feed: Feed) -> str:
    chapter, plan = feed.chapter, feed.chapter.plan
    day = f"day {plan.day} of {len(feed.show.chapters)}"
    happens = plan.at_ms(plan.onset) <= feed.now_ms < plan.at_ms(plan.until)
    return f"{day}: {chapter.says if happens else f'calm traffic, {plan.callers:,} callers'}"


def _write(path: Path, summary: Summary) -> None:
    try:
        path.write_bytes(json_bytes(summary.to_json()) + b"\n")
    except OSError as error:
        raise FileError(f"{path}: cannot be written: {error.strerror}") from error
