"""Registry: every detector there is, one line each. The index of this folder; `tocsin detectors` prints it."""

from __future__ import annotations

import zlib
from typing import Final

from models import (
    adwin,
    boundary_probe,
    collusion,
    confidence_shift,
    disagreement,
    envelope,
    envelope_scout,
    feature_drift,
    half_space_trees,
    latency_shift,
    membership_probe,
    newcomer_cohort,
    newcomer_scout,
    page_hinkley,
    probe_rate,
    query_path,
)
from models.detector import Detector, Entry, Seat
from models.watched import KINDS
from tocsin.signal import Kind


def _probe_rate(seat: Seat) -> Detector:
    return probe_rate.ProbeRate(seat.alerts_per_month, seat.shards, seat.baselines)


def _membership_probe(seat: Seat) -> Detector:
    return membership_probe.MembershipProbe(seat.alerts_per_month, seat.shards, seat.baselines)


def _query_path(seat: Seat) -> Detector:
    return query_path.QueryPath(seat.alerts_per_month, seat.shards, seat.baselines)


def _adwin(seat: Seat) -> Detector:
    return adwin.Adwin(alerts_per_month=seat.alerts_per_month, shards=seat.shards)


def _page_hinkley(seat: Seat) -> Detector:
    return page_hinkley.PageHinkley(alerts_per_month=seat.alerts_per_month, shards=seat.shards)


def _half_space_trees(seat: Seat) -> Detector:
    return half_space_trees.HalfSpaceTrees(seed=zlib.crc32(seat.model.encode()))


DETECTORS: Final[dict[str, Entry]] = {
    "probe_rate": Entry(
        build=_probe_rate,
        version=probe_rate.VERSION,
        stage="sense",
        scope="shard",
        sees="one caller asks far more often than it, or anyone, used to",
        needs=frozenset({"caller"}),
        kind=Kind.PROBING,
        reference="own past",
        claim="calibrated",
        techniques=("AML.T0040", "AML.T0024.002"),
        share=0.5,
    ),
    "query_path": Entry(
        build=_query_path,
        version=query_path.VERSION,
        stage="sense",
        scope="shard",
        sees="one caller asks along a path no golden caller took: near itself, near the decision, where golden rows are thin",
        needs=frozenset({"caller", "features"}),
        kind=Kind.PROBING,
        reference="frozen",
        claim="calibrated",
        techniques=("AML.T0015", "AML.T0043.001", "AML.T0024.001", "AML.T0040"),
        share=0.1,
    ),
    "adwin": Entry(
        build=_adwin,
        version=adwin.VERSION,
        stage="sense",
        scope="model",
        sees="the mean of confidence, latency or error rate changed against its recent past",
        needs=frozenset({"confidence", "latency_ms", "status"}),
        kind=Kind.DRIFT,
        reference="moving",
        claim="advisory",
        techniques=("AML.T0031",),
        share=0.1,
        kinds=KINDS,
    ),
    "page_hinkley": Entry(
        build=_page_hinkley,
        version=page_hinkley.VERSION,
        stage="sense",
        scope="model",
        sees="the mean of confidence, latency or error rate moved away from its long-run mean",
        needs=frozenset({"confidence", "latency_ms", "status"}),
        kind=Kind.DRIFT,
        reference="moving",
        claim="advisory",
        techniques=("AML.T0031",),
        share=0.1,
        kinds=KINDS,
    ),
    "half_space_trees": Entry(
        build=_half_space_trees,
        version=half_space_trees.VERSION,
        stage="sense",
        scope="model",
        sees="many inputs come from where few came before",
        needs=frozenset({"features"}),
        kind=Kind.DRIFT,
        reference="moving",
        claim="advisory",
        techniques=("AML.T0043", "AML.T0015"),
        share=0.1,
    ),
    "feature_drift": Entry(
        build=feature_drift.build,
        version=feature_drift.VERSION,
        stage="judge",
        scope="model",
        sees="an input is distributed otherwise than in golden traffic, or goes missing",
        needs=frozenset({"features"}),
        kind=Kind.DRIFT,
        reference="frozen",
        claim="calibrated",
        techniques=("AML.T0031", "AML.T0043", "AML.T0015"),
        share=0.25,
    ),
    "confidence_shift": Entry(
        build=confidence_shift.build,
        version=confidence_shift.VERSION,
        stage="judge",
        scope="model",
        sees="confidence, or the mix of predicted classes, differs from golden traffic",
        needs=frozenset({"confidence"}),
        kind=Kind.DRIFT,
        reference="frozen",
        claim="calibrated",
        techniques=("AML.T0031", "AML.T0015"),
        share=0.1,
    ),
    "latency_shift": Entry(
        build=latency_shift.build,
        version=latency_shift.VERSION,
        stage="judge",
        scope="model",
        sees="answers take longer, or shorter, than in golden traffic",
        needs=frozenset({"latency_ms"}),
        kind=Kind.FAULT,
        reference="frozen",
        claim="calibrated",
        techniques=("AML.T0029", "AML.T0034"),
        share=0.1,
    ),
    "envelope": Entry(
        build=envelope.build,
        version=envelope.VERSION,
        stage="judge",
        scope="model",
        sees="more inputs lie outside the golden distribution, all features together, than always did",
        needs=frozenset({"features"}),
        kind=Kind.DRIFT,
        reference="frozen",
        claim="calibrated",
        techniques=("AML.T0043", "AML.T0015"),
        share=0.1,
        scout=envelope_scout.scout,
    ),
    "boundary_probe": Entry(
        build=boundary_probe.build,
        version=boundary_probe.VERSION,
        stage="judge",
        scope="model",
        sees="questions crowd, or home in, where the decision flips, from however many accounts, or one asks there alone",
        needs=frozenset({"confidence"}),
        kind=Kind.PROBING,
        reference="frozen",
        claim="calibrated",
        techniques=("AML.T0040", "AML.T0024.002", "AML.T0043"),
        share=0.1,
        scout=boundary_probe.scout,
    ),
    "membership_probe": Entry(
        build=_membership_probe,
        version=membership_probe.VERSION,
        stage="sense",
        scope="shard",
        sees="one caller asks for training records, word for word, more often than anybody does by chance",
        needs=frozenset({"caller", "features"}),
        kind=Kind.PROBING,
        reference="frozen",
        claim="calibrated",
        techniques=("AML.T0024.000",),
        share=0.05,
    ),
    "collusion": Entry(
        build=collusion.build,
        version=collusion.VERSION,
        stage="judge",
        scope="model",
        sees="callers crowd in one another's cells of the input space: a search spread over many accounts",
        needs=frozenset({"caller", "features"}),
        kind=Kind.PROBING,
        reference="frozen",
        claim="calibrated",
        techniques=("AML.T0043.001", "AML.T0015", "AML.T0040"),
        share=0.1,
        scout=collusion.scout,
    ),
    "newcomer_cohort": Entry(
        build=newcomer_cohort.build,
        version=newcomer_cohort.VERSION,
        stage="judge",
        scope="model",
        sees="many new accounts that each ask a little of everything, as whoever copies the model must",
        needs=frozenset({"caller", "features"}),
        kind=Kind.PROBING,
        reference="frozen",
        claim="calibrated",
        techniques=("AML.T0024.002",),
        share=0.05,
        scout=newcomer_scout.build,
    ),
    "disagreement": Entry(
        build=disagreement.build,
        version=disagreement.VERSION,
        stage="judge",
        scope="model",
        sees="the frozen reference has moved for a day and nothing that follows the stream noticed: slow poisoning",
        needs=frozenset({"confidence", "latency_ms", "features"}),
        kind=Kind.DRIFT,
        reference="frozen",
        claim="calibrated",
        techniques=("AML.T0020", "AML.T0031"),
        share=0.05,
    ),
}
"""Every detector: id → what it is. The id is the file's name."""
