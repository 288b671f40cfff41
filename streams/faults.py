"""Faults: what is said of a detector that raised, in whichever fold it did."""

from __future__ import annotations

from typing import Final

from tocsin.clock import Clock
from tocsin.ids import uid
from tocsin.reading import Fault

MAX_ERROR: Final = 200
"""Characters."""


def fault_of(detector: str, version: int, model: str, error: Exception, clock: Clock, where: str) -> Fault:
    """Returns the report that this detector raised on a record and is disabled for the model; its id is derived.

    Args:
        detector: id.
        version: of the detector.
        model: `namespace/name@version`, "" when it watches a whole shard.
        error: what it raised.
        clock: the fold's.
        where: `topic-partition@offset` of the record.
    """
    text = f"{type(error).__name__}: {error}"[:MAX_ERROR]
    return Fault(uid("fault", detector, version, model, where), detector, model, where, clock.now_ms, text)
