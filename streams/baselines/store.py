"""Store: how whoever judges comes by a baseline. Content never changes under its hash, so a look-up is a pure function."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Protocol

from models.baseline import Baseline, hash_of
from tocsin.errors import HoleError


class Baselines(Protocol):
    """All baselines of a deployment by content hash; append-only."""

    def get(self, name: str, model: str = "") -> Baseline:
        """Returns the baseline of this content hash.

        Args:
            name: content hash, hex.
            model: whose promotion or counts name it, for the message.

        Raises:
            HoleError: there is none, after a bounded wait where waiting can help.
        """
        ...


class MemoryBaselines:
    """Baselines at hand: for replay, benchmarks and tests."""

    def __init__(self, baselines: Iterable[Baseline] = (), named: Mapping[str, Baseline] | None = None) -> None:
        """Holds these; `named` are known by the hash that an older version gave them."""
        self._held = {hash_of(baseline): baseline for baseline in baselines} | dict(named or {})

    def add(self, baseline: Baseline) -> str:
        """Holds one more and returns its hash."""
        name = hash_of(baseline)
        self._held[name] = baseline
        return name

    def get(self, name: str, model: str = "") -> Baseline:
        """Returns a held baseline.

        Raises:
            HoleError: it is not held.
        """
        if name not in self._held:
            raise HoleError(f"baseline {name} of {model} must be at hand; {len(self._held)} others are")
        return self._held[name]


NO_BASELINES: Final[Baselines] = MemoryBaselines()
"""For whoever knows that nobody promotes anything."""
