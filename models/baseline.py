"""Baseline: the frozen reference of one model version. What its traffic looked like when somebody vouched for it.

A baseline is a value: built once from golden traffic (`golden.py`), named by the hash of its bytes, never updated. What moves
with the stream can be moved by an attacker; what is frozen can only be replaced, in the open, by a promotion.

On the wire: a magic word and zlib-packed msgpack of plain numbers, none of which can run. A reader refuses a format it does
not know.
"""

from __future__ import annotations

import hashlib
import zlib
from typing import Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.cell_tables import CellTables
from models.evenness import Evenness
from models.fingerprints import Fingerprints
from models.joint import Joint
from models.loda import Loda
from models.margins import Margins
from models.paths import Paths
from tocsin.codec import pack, unpack
from tocsin.errors import VersionError

FORMAT: Final = 2
MAGIC: Final = b"tocsin-baseline\n"
CELLS: Final = 64
"""Cells per quantity and season bucket; 63 edges between them."""

Watched = Literal["feature", "missing", "confidence", "margin", "latency", "label", "envelope", "tail", "pair", "projection"]
"""What of a row a quantity reads."""


class Season(msgspec.Struct, frozen=True, array_like=True):
    """How a model's traffic repeats.

    Attributes:
        zone: IANA time zone of the people behind it.
        period_h: 24 for the hour of day, 168 for the hour of week; with `bucket_h` equal to it there is one bucket.
        bucket_h: hours per bucket, a divisor of the period.
    """

    zone: str = "UTC"
    period_h: int = 24
    bucket_h: int = 24

    @property
    def buckets(self) -> int:
        """Returns how many buckets there are."""
        return self.period_h // self.bucket_h


class Quantity(msgspec.Struct, frozen=True, array_like=True):
    """One number of a row and how it was distributed in the golden traffic.

    Attributes:
        name: for people: `amount`, `missing amount`, `confidence`, `latency_ms`, `label`, `envelope`.
        watches: what it reads.
        feature: index into `Baseline.features`, -1 when it reads none; of a pair or a projection, its place in `joint`.
        edges: float32 (buckets, 63), rising, padded with +inf; a value's cell is the number of edges ≤ it. A value that
            many rows share is a cell of its own: between it and the next float32.
        masses: float64 (buckets, 64): share of the golden rows, smoothed; sums to 1 per bucket, 0 for cells that do not exist.
        golden_rows: float64 (buckets,): effective rows behind `masses`, after the same discount as at run time.
        correlation: rank intra-class correlation of one caller's values, [0, 1): what the window discount discounts by.
        tempering: float32 (experts,): exponent of each expert's pay-off, (0, 1].
        margin: float32 (experts,): subtracted from each expert's log pay-off: how its mean differed between golden days.
    """

    name: str
    watches: Watched
    feature: int
    edges: bytes
    masses: bytes
    golden_rows: bytes
    correlation: float
    tempering: bytes
    margin: bytes


class Gate(msgspec.Struct, frozen=True, array_like=True):
    """What replaying held-out golden traffic said about one detector.

    Attributes:
        detector: id in `models.registry.DETECTORS`.
        armed: whether it raised no more than it may; otherwise it stays advisory.
        sigmas: z of the day margin it passed with.
        held_out_days: how much traffic it was replayed over.
        trials: (false alerts a month allowed, alarms raised, alarms allowed), one per level tried.
        says: one line for people: why it is armed or not.
    """

    detector: str
    armed: bool
    sigmas: float
    held_out_days: float
    trials: tuple[tuple[float, float, float], ...]
    says: str


class Baseline(msgspec.Struct, frozen=True, array_like=True):
    """See the module.

    Attributes:
        format: FORMAT of the writer.
        model: `namespace/name@version`.
        features: names as in `Frame` blocks (a leading `=` marks a category), in the order that `Quantity.feature` counts.
        first_ts: earliest golden event, Unix milliseconds.
        last_ts: latest golden event.
        rows: golden rows.
        callers: distinct golden callers.
        window: events of the model over all shards after which the discount's count of a caller starts anew.
        season: buckets.
        quantities: what is counted, in the order in which counts travel.
        labels: (class, share of golden rows), most frequent first.
        rates: named numbers about callers' rates: see `models/rates.py`.
        boundary: the confidence at which the decision flips, NaN when labels do not tell.
        near: the distance from it within which a row's margin is watched, NaN with it.
        envelope: frozen LODA, None when there are no features.
        references: float32 (up to 1,024, features): standardised golden rows, for neighbours and exposure.
        gate: per detector.
        inherits: hash of the baseline whose edges and rates were taken over, "" for none.
        origin: one line: what it was built from.
        joint: which features are watched together, None when there are not two.
        evenness: how widely golden callers' first questions were spread, None when that tells nothing.
        cells: the input space in cells and the golden rows in each, None when that tells nothing.
        margins: how near to the decision boundary golden rows come, None when that cannot be told.
        paths: how close together the questions of golden callers lie, None when that tells nothing.
        fingerprints: of training rows, None when nobody named any.
    """

    format: int
    model: str
    features: tuple[str, ...]
    first_ts: int
    last_ts: int
    rows: int
    callers: int
    window: int
    season: Season
    quantities: tuple[Quantity, ...]
    labels: tuple[tuple[str, float], ...]
    rates: dict[str, float]
    boundary: float
    near: float
    envelope: Loda | None
    references: bytes
    gate: tuple[Gate, ...]
    inherits: str = ""
    origin: str = ""
    joint: Joint | None = None
    evenness: Evenness | None = None
    cells: CellTables | None = None
    margins: Margins | None = None
    paths: Paths | None = None
    fingerprints: Fingerprints | None = None

    def armed(self, detector: str) -> bool:
        """Returns whether the replay gate let this detector be armed."""
        return any(gate.detector == detector and gate.armed for gate in self.gate)

    def of(self, *watches: Watched) -> list[int]:
        """Returns the indices of the quantities that read any of these."""
        return [index for index, quantity in enumerate(self.quantities) if quantity.watches in watches]


def floats(data: bytes, *shape: int, dtype: str = "<f4") -> NDArray[np.float64]:
    """Returns a baseline's array in native float64, in this shape."""
    return np.frombuffer(data, dtype).reshape(shape).astype(np.float64)


def encode_baseline(baseline: Baseline) -> bytes:
    """Returns the baseline as files and `tocsin.baselines.v1` hold it."""
    return MAGIC + zlib.compress(_content(baseline), 6)


def hash_of(baseline: Baseline) -> str:
    """Returns its name: SHA-256 of its uncompressed content, hex."""
    return hashlib.sha256(_content(baseline)).hexdigest()


def _content(baseline: Baseline) -> bytes:
    """Returns the bytes that are hashed: as after a journey, for a whole number where a fraction may stand packs otherwise."""
    return pack(unpack(pack(baseline), Baseline, baseline.model))


def name_of(data: bytes) -> str:
    """Returns the hash of an encoded baseline, whoever encoded it; `hash_of` is this version's own writing."""
    return hashlib.sha256(zlib.decompress(data[len(MAGIC) :])).hexdigest()


def decode_baseline(data: bytes, where: str) -> Baseline:
    """Returns the baseline in `data`.

    Raises:
        VersionError: it is no baseline, or a newer Tocsin wrote it.
    """
    if not data.startswith(MAGIC):
        raise VersionError(f"{where}: a baseline must begin with {MAGIC!r}; found {data[:16]!r}")
    try:
        content = zlib.decompress(data[len(MAGIC) :])
    except zlib.error as error:
        raise VersionError(f"{where}: a whole baseline expected; {error}") from error
    baseline = unpack(content, Baseline, where)
    if baseline.format > FORMAT:
        raise VersionError(f"{where}: baseline format {FORMAT} expected, {baseline.format} found; upgrade this Tocsin first")
    return baseline
