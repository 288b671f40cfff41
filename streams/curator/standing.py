"""Standing: what the control topic says about each model's baseline, and what of it the curator said itself.

This is the curator's whole memory: what it has done stands there, so a restart repeats no step, and of two curators the
second finds the work done. Whatever a person ordered last is left alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from streams.orders import placed_orders
from tocsin.config import Kafka
from tocsin.control import Promote
from tocsin.reading import Ladder

AUTHOR: Final = "curator"


class Order(NamedTuple):
    """A promotion at its place in the control topic.

    Attributes:
        offset: there.
        ts: append time, Unix milliseconds.
        body: what was ordered.
    """

    offset: int
    ts: int
    body: Promote

    @property
    def ladder(self) -> Ladder:
        """Where the model stands after it."""
        return self.body.ladder if self.body.baseline else "learning"


class Standing:
    """All promotions of one model, oldest first."""

    def __init__(self, orders: Iterable[Order] = ()) -> None:
        """Starts with these."""
        self.orders = list(orders)

    def add(self, order: Order) -> bool:
        """Notes an order; returns whether it was news."""
        if self.orders and order.offset <= self.orders[-1].offset:
            return False
        self.orders.append(order)
        return True

    @property
    def ladder(self) -> Ladder:
        """Where the model stands."""
        return self.orders[-1].ladder if self.orders else "learning"

    @property
    def baseline(self) -> str:
        """The content hash in force, "" for none."""
        return self.orders[-1].body.baseline if self.ladder != "learning" else ""

    @property
    def begun(self) -> Order | None:
        """The last order of somebody else: the curator's work begins after it."""
        return next((order for order in reversed(self.orders) if order.body.author != AUTHOR), None)

    @property
    def ours(self) -> list[Order]:
        """The curator's own orders since then."""
        first = self.begun.offset if self.begun else -1
        return [order for order in self.orders if order.offset > first]

    @property
    def open(self) -> bool:
        """Whether the model is the curator's to promote: nothing is in force, or what it put there provisionally."""
        begun = self.begun
        if begun is not None and begun.ladder != "learning":
            return False
        return self.ladder != "armed"

    def done(self, step: str) -> bool:
        """Returns whether the curator has taken this step."""
        return any(order.body.reason.startswith(f"{step}:") for order in self.ours)


def standings_of(kafka: Kafka) -> dict[str, Standing]:
    """Returns model → every promotion in the control topic.

    Raises:
        BrokerError: the topic cannot be read.
    """
    found: dict[str, Standing] = {}
    for offset, ts, body in placed_orders(kafka):
        if isinstance(body, Promote):
            found.setdefault(body.model, Standing()).add(Order(offset, ts, body))
    return found
