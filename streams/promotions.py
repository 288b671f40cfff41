"""Promotions: which baseline is in force for which model, as one shard of the ledger has been told.

State is only what the orders said: model → content hash, epoch, ladder. The baseline itself is looked up by its hash, which
is a pure function of it. Every shard is told the same orders in the same sequence, so all agree on the epochs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import msgspec

from models.baseline import Baseline
from streams.baselines.store import Baselines
from tocsin.codec import pack
from tocsin.control import Promote
from tocsin.reading import Ladder
from tocsin.state import Section

MAX_MODELS: Final = 1_000
SECTION: Final = "promotions"
VERSION: Final = 1


class Promotion(msgspec.Struct, frozen=True, array_like=True):
    """What is in force for one model.

    Attributes:
        baseline: content hash, "" when it was taken away.
        epoch: when it came into force: append time of its order, Unix milliseconds, later than any epoch before it.
        ladder: `provisional` or `armed`; `learning` without a baseline.
    """

    baseline: str
    epoch: int
    ladder: Ladder


_NOTHING: Final = Promotion("", -1, "learning")


@dataclass(slots=True)
class Promotions:
    """All models that were ever promoted.

    Attributes:
        baselines: where to look one up.
        standing: model → what is in force.
        references: model → its baseline; only those that have one.
        vouched: those of them that are armed. What is only provisional may inform, but never change what an armed detector
            allows: whoever sends the first traffic would choose it.
    """

    baselines: Baselines
    standing: dict[str, Promotion] = field(default_factory=dict)
    references: dict[str, Baseline] = field(default_factory=dict)
    vouched: dict[str, Baseline] = field(default_factory=dict)

    def apply(self, order: Promote, ts: int) -> tuple[list[str], str]:
        """Returns the models whose reference is another one now, and why the order was not obeyed, "" when it was.

        The same baseline on another rung of the ladder keeps its epoch: what was learnt about it stays. Beyond MAX_MODELS the
        model that was promoted longest ago gives way: old versions are seldom taken away by anybody.

        Args:
            order: the promotion.
            ts: its append time, Unix milliseconds.

        Raises:
            HoleError: there is no such baseline.
        """
        now = self.standing.get(order.model, _NOTHING)
        ladder: Ladder = order.ladder if order.baseline else "learning"
        wanted = order.baseline if ladder != "learning" else ""
        if now.baseline == wanted:
            if now is not _NOTHING:
                self._stand(order.model, Promotion(wanted, now.epoch, ladder))
            return [], ""
        if wanted:
            reference = self.baselines.get(wanted, order.model)
            if reference.model != order.model:
                return [], f"baseline {wanted[:12]} must be of the model it is promoted for; it is of {reference.model}"
            self.references[order.model] = reference
        else:
            self.references.pop(order.model, None)
        self._stand(order.model, Promotion(wanted, max(ts, now.epoch + 1), ladder))
        return [order.model, *self._give_way()], ""

    def _stand(self, model: str, promotion: Promotion) -> None:
        self.standing[model] = promotion
        if promotion.ladder == "armed":
            self.vouched[model] = self.references[model]
        else:
            self.vouched.pop(model, None)

    def _give_way(self) -> list[str]:
        if len(self.standing) <= MAX_MODELS:
            return []
        oldest = min(self.standing, key=lambda model: (self.standing[model].epoch, model))
        del self.standing[oldest]
        self.vouched.pop(oldest, None)
        return [oldest] if self.references.pop(oldest, None) is not None else []

    def dump(self) -> Section:
        """Returns what is in force; a baseline is only named."""
        return Section(VERSION, pack(self.standing))

    def load(self, section: Section | None) -> None:
        """Replaces what is in force; nothing is, in a snapshot from before baselines.

        Raises:
            HoleError: a baseline that is in force cannot be found.
        """
        standing = msgspec.msgpack.decode(section.data, type=dict[str, Promotion]) if section else {}
        # In place: others hold a view of them.
        for held in (self.standing, self.references, self.vouched):
            held.clear()
        for model, promotion in standing.items():
            if promotion.baseline:
                self.references[model] = self.baselines.get(promotion.baseline, model)
            self._stand(model, promotion)
