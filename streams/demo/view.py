"""View: what a person sees — a live picture on a terminal, plain lines anywhere else. Draws; decides nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Protocol

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from streams.cli.output import clean
from streams.demo.measure import MEDIUM, Seen, Summary

STYLES: Final = {1: "dim", 2: "cyan", 3: "yellow", 4: "bold red", 5: "bold white on red"}
PROGRESS_S: Final = 10.0
SHOWN: Final = 4
"""Findings on the picture, the most severe and latest first."""


@dataclass(slots=True)
class Scene:
    """What there is to see now.

    Attributes:
        says: what is going on, in a few words.
        now_ms: event time, Unix milliseconds; 0 before the first event.
        part: how much of the show is over, in [0, 1].
        sent: events sent.
        watched: events that all detectors have seen.
        events_per_s: watched per second, lately.
        incidents: uid → its latest finding, in order of opening.
    """

    says: str = "starting the embedded broker, intake and worker"
    now_ms: int = 0
    part: float = 0.0
    sent: int = 0
    watched: int = 0
    events_per_s: float = 0.0
    incidents: dict[str, Seen] = field(default_factory=dict)


class View(Protocol):
    """How the demo is shown."""

    def update(self, scene: Scene) -> None:
        """Shows the scene as it is now."""
        ...

    def finding(self, seen: Seen) -> None:
        """Shows a finding that has just come in."""
        ...

    def close(self) -> None:
        """Leaves the screen in good order."""
        ...


class Plain:
    """One line per finding and one every ten seconds of progress.

    Attributes:
        monotonic: seconds that only rise.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        """Starts with nothing said."""
        self.monotonic = monotonic
        self._said = ("", -PROGRESS_S)

    def update(self, scene: Scene) -> None:
        """Prints a line when the act changes, and now and then."""
        now = self.monotonic()
        if scene.says != self._said[0] or now - self._said[1] >= PROGRESS_S:
            self._said = (scene.says, now)
            _line(f"[{clock(scene.now_ms)}] {scene.says}: {scene.watched:,} events watched, {scene.events_per_s:,.0f}/s")

    def finding(self, seen: Seen) -> None:
        """Prints a finding on one line."""
        who = ", ".join(seen.callers) or seen.model
        ids = " ".join(seen.techniques)
        _line(
            f"[{clock(max(seen.time, seen.end))}] FINDING {seen.severity} {seen.kind} {ids} {seen.status}; who: {who}; "
            f"since: {clock(seen.start)}; {seen.message} What to do: {seen.advice}"
        )

    def close(self) -> None:
        """Has nothing to leave."""


class Picture:
    """A live picture."""

    def __init__(self, console: Console) -> None:
        """Takes the screen."""
        self._scene = Scene()
        self._live = Live(draw(self._scene), console=console, refresh_per_second=4)
        self._live.start()

    def update(self, scene: Scene) -> None:
        """Draws the scene."""
        self._live.update(draw(scene))

    def finding(self, seen: Seen) -> None:
        """Is in the scene already."""

    def close(self) -> None:
        """Leaves the last picture on the screen."""
        self._live.stop()


def draw(scene: Scene) -> RenderableType:
    """Returns the whole picture."""
    facts = Table.grid(padding=(0, 3))
    facts.add_row("event time", "events watched", "events/s")
    facts.add_row(
        Text(clock(scene.now_ms), "bold"),
        Text(f"{scene.watched:,}", "bold"),
        Text(f"{scene.events_per_s:,.0f}", "bold"),
    )
    bar = ProgressBar(total=1.0, completed=scene.part, width=60)
    head = Panel(Group(Text(scene.says), facts, bar), title="Tocsin: a week of card payments", box=box.ROUNDED)
    ranked = sorted(scene.incidents.values(), key=lambda seen: (-seen.severity_id, -seen.end))
    rest = len(ranked) - SHOWN
    more = [Text(f"and {rest} more of lower severity or earlier", "dim")] if rest > 0 else []
    quiet = [] if ranked else [Text("no findings", "dim")]
    return Group(head, *(_card(seen) for seen in ranked[:SHOWN]), *more, *quiet)


def _card(seen: Seen) -> RenderableType:
    if seen.severity_id < MEDIUM:
        return Text(f"{seen.severity.lower()}: {seen.kind}, {clean(seen.gist)}", STYLES[seen.severity_id])
    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="dim")
    rows.add_column(overflow="fold")
    for name, value in (
        ("ATLAS", ", ".join(seen.techniques)),
        ("who", ", ".join(seen.callers) or seen.model),
        ("since", clock(seen.start)),
        ("evidence", seen.message),
        ("proposed", seen.advice),
    ):
        rows.add_row(name, Text(clean(value)))
    style = STYLES.get(seen.severity_id, "bold red")
    return Panel(rows, title=f"{seen.severity} {seen.kind}: {seen.status}", border_style=style, box=box.ROUNDED)


def summary_lines(summary: Summary, wall_s: float) -> list[str]:
    """Returns the last words."""
    lines = []
    for episode in summary.injected:
        who = f" from {episode.accounts:,} accounts" if episode.accounts > 1 else ""
        if episode.found:
            lines.append(
                f"{episode.scenario}{who}: FOUND after {episode.after_events:,} of {episode.attack_events:,} events, "
                f"{episode.after_s:,.0f} s of event time (finding {episode.finding_uid})"
            )
        else:
            lines.append(f"{episode.scenario}{who}: MISSED, {episode.attack_events:,} events")
    calm = summary.calm
    lines.append(f"calm: {calm.events:,} events, {calm.findings} findings of medium and above, {calm.low} below")
    lines.append(f"{summary.events_per_s:,.0f} events/s through all stages, {wall_s:.0f} s in all")
    return lines


def clock(ms: int) -> str:
    """Returns the day and its time, e.g. `Mon 18:04:07`."""
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%a %H:%M:%S}" if ms else "--- --:--:--"


def _line(text: str) -> None:
    sys.stdout.write(clean(text).replace("\n", " ") + "\n")
    sys.stdout.flush()
