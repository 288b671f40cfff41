"""What the scout of `collusion` tells judge of a row: numbers of fixed size, 59 bytes each, and who and where it was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.cell_tables import FIRST, TABLES, Keys
from tocsin.codec import pack
from tocsin.event import ROW_BITS, Coordinates, Source

SKETCHES: Final = 4
"""Random projections that tell near-identical rows from rows that merely share their cells."""
GROUPS: Final = 8
"""Of features, whose values are hashed together: most agree in copies of one record."""
ROW: Final = np.dtype(
    [
        ("near", "u1"),  # 1 for a row reported because it is close to the decision boundary
        ("void", "u1"),  # one bit per table that does not count for it
        ("cells", "<u2", (TABLES,)),
        ("weights", "u1", (TABLES,)),  # callers that it adds to each cell's
        ("after", "<u4"),  # rows of the block that came behind it
        ("caller", "<u2"),
        ("label", "<u4"),
        ("sketch", "<f2", (SKETCHES,)),
        ("content", "u1", (GROUPS,)),  # hashes of the values of its features, some in each
        ("ts", "<i8"),
        ("source", "u1"),
        ("position", "<i8"),
    ]
)

Records = NDArray[np.void]


class Body(msgspec.Struct, frozen=True, array_like=True):
    """The body of one report.

    Attributes:
        sources: what `source` indexes.
        rows: ROW records, in ledger order.
    """

    sources: tuple[Source, ...]
    rows: bytes


@dataclass(frozen=True, slots=True)
class Told:
    """A report taken apart.

    Attributes:
        sources: what `source` indexes.
        rows: ROW records.
    """

    sources: tuple[Source, ...]
    rows: Records

    def coordinates(self, row: int) -> Coordinates:
        """Returns where a row entered."""
        position = int(self.rows["position"][row])
        return Coordinates(self.sources[self.rows["source"][row]], position >> ROW_BITS, position & ((1 << ROW_BITS) - 1))


def encoded(sources: tuple[Source, ...], rows: Records) -> bytes:
    """Returns the body of a report."""
    return pack(Body(sources, rows.tobytes()))


def decoded(body: bytes) -> Told:
    """Returns what `encoded` was given.

    Raises:
        msgspec.DecodeError, ValueError: it is no such body.
    """
    told = msgspec.msgpack.decode(body, type=Body)
    return Told(told.sources, np.frombuffer(told.rows, ROW))


def keys_of(rows: Records) -> Keys:
    """Returns the rows' cells as `Face.keys` numbers them, int64 (rows, TABLES)."""
    return rows["cells"].astype(np.int64) + FIRST


def void_of(rows: Records) -> NDArray[np.bool_]:
    """Returns which tables do not count for the rows, bool (rows, TABLES)."""
    return np.unpackbits(rows["void"][:, None], axis=1, bitorder="little").astype(np.bool_)
