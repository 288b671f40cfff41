"""State: what a fold must remember, as named sections that can be upgraded one by one.

A snapshot is {section id: (version, bytes)}. A newer process loads the sections it knows at the version it knows, migrates
the ones it has a migration for, and starts the others cold; one changed detector never costs the others their memory.
"""

from __future__ import annotations

import msgspec

from tocsin.codec import pack


class Section(msgspec.Struct, frozen=True, array_like=True):
    """One named part of a snapshot.

    Attributes:
        version: of the layout of `data`.
        data: opaque to everyone but its owner.
    """

    version: int
    data: bytes


Sections = dict[str, Section]


def encode_sections(sections: Sections) -> bytes:
    """Returns the sections as bytes, in id order: equal state is equal bytes."""
    return pack(sections)


def decode_sections(data: bytes) -> Sections:
    """Returns the sections in `data`, whose HMAC has been checked before."""
    return msgspec.msgpack.decode(data, type=dict[str, Section])
