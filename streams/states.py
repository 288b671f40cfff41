"""States: what the parts of many (detector, model) pairs remember, as one section of a snapshot per detector.

A section of another version starts cold, and so does a part whose bytes are damaged; the others load.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from typing import Any, Final, Protocol

import msgspec

from models.detector import Entry
from tocsin.codec import pack
from tocsin.errors import StateError
from tocsin.state import Section, Sections

DETECTOR: Final = "detector/"
"""What the name of a detector's section begins with; its id follows."""

Key = tuple[str, str]
"""(detector id, model)."""


class Part(Protocol):
    """Whatever has a state: a detector, a scout."""

    def dump(self) -> bytes:
        """Returns the whole state: equal state is equal bytes."""
        ...

    def load(self, data: bytes) -> None:
        """Replaces the state by one that `dump` returned.

        Raises:
            StateError: it is not such a state.
        """
        ...


def dumped(prefix: str, entries: Mapping[str, Entry], parts: Mapping[Key, Part]) -> Sections:
    """Returns one section per detector that has parts.

    Args:
        prefix: of the sections' names; the detector's id follows.
        entries: detectors, in the order of their sections.
        parts: what has a state.
    """
    sections: Sections = {}
    for name, entry in entries.items():
        states = {model: part.dump() for (owner, model), part in parts.items() if owner == name}
        if states:
            sections[prefix + name] = Section(entry.version, pack(states))
    return sections


def loaded(
    prefix: str,
    entries: Mapping[str, Entry],
    models: Iterable[str],
    disabled: Container[Key],
    sections: Sections,
    build: Callable[[str, str], Any],
) -> tuple[dict[Key, Any], list[str]]:
    """Returns a part for every model and detector that is not disabled, and a line for every one that starts cold.

    Args:
        prefix: as in `dumped`.
        entries: detectors.
        models: which have parts.
        disabled: pairs that are left out.
        sections: of a snapshot; one without a detector's section leaves its parts as built.
        build: (detector, model) → a cold part.
    """
    found: dict[Key, Any] = {}
    notes: list[str] = []
    models = list(models)
    for name, entry in entries.items():
        section = sections.get(prefix + name, Section(entry.version, pack({})))
        states = msgspec.msgpack.decode(section.data, type=dict[str, bytes])
        if section.version != entry.version:
            notes.append(f"{prefix}{name}: v{entry.version} expected, v{section.version} found; it starts cold")
            states = {}
        for model in (model for model in models if (name, model) not in disabled):
            part = build(name, model)
            try:
                if model in states:
                    part.load(states[model])
            except StateError as error:
                notes.append(f"{prefix}{name} for {model}: {error}; it starts cold")
                part = build(name, model)
            found[name, model] = part
    return found, notes
