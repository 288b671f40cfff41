"""Notes: what the curator tells the health topic about each model, when it has changed or ten minutes have passed.

One JSON object per model, kind `coverage`; `streams/coverage.py` reads the last one of each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

import msgspec

from streams.curator.core import Core
from streams.curator.standing import Standing
from tocsin.ids import uid
from tocsin.reading import Ladder

KIND: Final = "coverage"
EVERY_MS: Final = 600_000


class Note(msgspec.Struct, frozen=True):
    """One model, as the curator sees it. Every record of the health topic begins with the first five fields.

    Attributes:
        uid: derived.
        kind: `coverage`.
        source: `curator`.
        time: ledger time, Unix milliseconds.
        detail: one line for people.
        model: `namespace/name@version`.
        ladder: where it stands.
        baseline: content hash, "" for none.
        promoted_ts: when that came into force, Unix milliseconds, 0 for none.
        author: who promoted it.
        rows: events of the model that were seen.
        last_ts: time of the latest, Unix milliseconds.
        missing: column or `feature NAME` → share of recent events that lack it.
        learnt_rows: events in the sample that the next baseline is built from, 0 when nothing is learnt.
        waits: hash that waits for `tocsin baseline promote`, "" for none.
        problem: why the last step led to no baseline, "" when it did.
    """

    uid: str
    kind: str
    source: str
    time: int
    detail: str
    model: str
    ladder: Ladder
    baseline: str
    promoted_ts: int
    author: str
    rows: int
    last_ts: int
    missing: dict[str, float]
    learnt_rows: int
    waits: str
    problem: str


@dataclass(slots=True)
class Notes:
    """What has been told.

    Attributes:
        told: model → (time, what must be told again when it changes).
        problems: model → why there is no baseline.
    """

    told: dict[str, tuple[int, tuple[object, ...]]] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)

    def problem(self, model: str, why: str) -> None:
        """Remembers why a step led to nothing."""
        self.problems[model] = why

    def due(self, core: Core, waiting: Callable[[Standing], str]) -> Iterator[Note]:
        """Yields what is to be told now.

        Args:
            core: what is known.
            waiting: the hash that waits for a person.
        """
        for model, presence in sorted(core.presences.items()):
            standing = core.standings.get(model, Standing())
            at, before = self.told.get(model, (0, ()))
            now = (standing.baseline, standing.ladder, presence.rows.bit_length(), self.problems.get(model, ""))
            if now != before or core.now_ms >= at + EVERY_MS:
                self.told[model] = (core.now_ms, now)
                yield self._note(model, core, waiting(standing))

    def _note(self, model: str, core: Core, waits: str) -> Note:
        standing, presence, learner = core.standings.get(model, Standing()), core.presences[model], core.learners.get(model)
        last = standing.orders[-1] if standing.orders else None
        learnt = learner.sample.rows if learner else 0
        return Note(
            uid=uid(KIND, model, core.now_ms),
            kind=KIND,
            source="curator",
            time=core.now_ms,
            detail=_detail(standing, learnt, core.policy.rows, waits),
            model=model,
            ladder=standing.ladder,
            baseline=standing.baseline,
            promoted_ts=last.ts if last and standing.baseline else 0,
            author=last.body.author if last and standing.baseline else "",
            rows=presence.rows,
            last_ts=presence.last_ts,
            missing=presence.shares(),
            learnt_rows=learnt,
            waits=waits,
            problem=self.problems.get(model, "") if not standing.baseline else "",
        )


def _detail(standing: Standing, learnt: int, wanted: int, waits: str) -> str:
    if waits:
        return f"a baseline passed the gate and waits for: tocsin baseline promote {waits}"
    if not standing.baseline:
        return f"learning: {learnt} of {wanted} events"
    return f"baseline {standing.baseline[:12]} is {standing.ladder}"
