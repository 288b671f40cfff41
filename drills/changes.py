"""Changes: what may happen to everybody's traffic without anybody attacking."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from drills.card_fraud import Payments

Part = NDArray[np.float64]
"""Times as fractions of the drill, 0 its beginning and 1 its end."""

Volume = Callable[[Part, float], Part]
"""(part, onset) → how many times the usual volume."""

Change = Callable[[Payments, Part, float], Payments]
"""(payments, the part of each, onset) → what the producer really sends."""

SALE_VOLUME = 2.5
SALE_AMOUNT = 1.6
CREEP = 1.005**60
"""Half a percent a day, sixty days."""


def _rising(part: Part, onset: float, top: float) -> Part:
    """Returns 1 before the onset, then a straight line up to `top` at the end."""
    return 1.0 + (top - 1.0) * np.clip((part - onset) / (1.0 - onset), 0.0, 1.0)


def usual_volume(part: Part, onset: float) -> Part:  # noqa: ARG001 - one signature for all volumes
    """Returns 1: as many calls as ever."""
    return np.ones_like(part)


def sale_volume(part: Part, onset: float) -> Part:
    """Returns the rising volume of a sale."""
    return _rising(part, onset, SALE_VOLUME)


def unchanged(payments: Payments, part: Part, onset: float) -> Payments:  # noqa: ARG001 - one signature for all changes
    """Returns the payments as they are."""
    return payments


def dearer(payments: Payments, part: Part, onset: float) -> Payments:
    """Returns payments whose amounts rise little by little, as in a sale."""
    up = _rising(part, onset, SALE_AMOUNT)
    return replace(payments, amount=payments.amount * up, amount_ratio=payments.amount_ratio * up)


def creeping(payments: Payments, part: Part, onset: float) -> Payments:
    """Returns payments whose amounts rise so slowly that whoever moves along sees nothing: the frog in the pot."""
    up = CREEP ** np.clip((part - onset) / (1.0 - onset), 0.0, 1.0)
    return replace(payments, amount=payments.amount * up, amount_ratio=payments.amount_ratio * up)


def in_cents(payments: Payments, part: Part, onset: float) -> Payments:
    """Returns payments whose amount is a hundredfold from the onset on: a producer changed its unit."""
    return replace(payments, amount=np.where(part >= onset, payments.amount * 100.0, payments.amount))
