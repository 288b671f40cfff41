"""Clock: what time it is in the ledger. Folds know no other."""

from __future__ import annotations

import msgspec


class Clock(msgspec.Struct, frozen=True, array_like=True):
    """Ledger time at one record.

    Attributes:
        now_ms: the latest append time any raw partition has been framed up to, Unix milliseconds; 0 before the first tick.
        complete_ms: everything appended before this has been seen: the minimum over partitions that are not idle.
        advance_ms: how far `now_ms` moved with this record; 0 at first and never above 3,600,000. The weight w of DESIGN §2.
    """

    now_ms: int = 0
    complete_ms: int = 0
    advance_ms: int = 0
