"""Latency: from the broker's append of a raw record to the append of what it led to, for every record of a steady stream.

All times are the broker's own append times (LogAppendTime), so no clock of ours takes part and nothing is instrumented:
a frame names its rows' raw offsets, a reading names its frame's offset, a finding names the row that set it off. Short
bursts by fresh callers make findings.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from typing import Final

import msgspec
import numpy as np
import orjson
from numpy.typing import NDArray

from bench.events import Traffic, model_name, records
from bench.fleet import Fleet
from bench.kafka import RAW_PARTITIONS, create, fill, pace, whole
from streams.clients import topic_name
from streams.stage.machine import Link
from tocsin.codec import unpack
from tocsin.config import Kafka
from tocsin.event import ROW_BITS
from tocsin.frame import decode_frame
from tocsin.reading import Readings
from tocsin.rows import rows_of

PER_S: Final = 2_000
WARM_S: Final = 5
HISTORY_S: Final = 200
"""Event time that is written at once, before the steady stream: by then it is known how fast callers usually ask."""
MODELS: Final = 6
"""That bursts ask: findings about more than 20 callers of one model join one incident, and each burst shall have its own."""
BURST_SHARE: Final = 2
"""Every second event of the steady stream belongs to a burst; each lasts a second."""


class Latency(msgspec.Struct, frozen=True):
    """Milliseconds from raw append, at `per_s` events per second.

    Attributes:
        reading_p50: to the append of the row's reading, median over rows.
        reading_p99: the same, 99th percentile.
        alert_p99: to the append of the finding, 99th percentile over new findings; None when there were none.
        alerts: how many new findings that rests on.
        per_s: events per second.
        seconds: length of the run.
    """

    reading_p50: float
    reading_p99: float
    alert_p99: float | None
    alerts: int
    per_s: int
    seconds: int


def measure(brokers: str, topic: str, seconds: int) -> Latency:
    """Returns the latencies of a steady stream of `seconds`, without its first 5."""
    kafka = Kafka(brokers=brokers, prefix="bench.latency.")
    past, events = PER_S * HISTORY_S, PER_S * (HISTORY_S + WARM_S + seconds)
    start_ms = int(time.time() * 1000) - HISTORY_S * 1000
    steady = list(records(Traffic(events, per_s=PER_S, start_ms=start_ms)))[past:]
    create(brokers, topic)
    fill(brokers, topic, records(Traffic(past, models=MODELS, per_s=PER_S, start_ms=start_ms)))
    with Fleet(kafka, topic) as fleet:
        fleet.watch(lambda sample: sample.sensed >= past)
        producer = threading.Thread(target=pace, args=(brokers, topic, _with_bursts(steady), PER_S), daemon=True)
        producer.start()
        fleet.watch(lambda sample: sample.sensed >= events)
        producer.join()
        # The last findings follow the last readings.
        time.sleep(3)
    appended = _appended(brokers, topic, events)
    first = (past + WARM_S * PER_S) // RAW_PARTITIONS
    readings = _readings(kafka, appended, first)
    alerts = _alerts(kafka, topic, appended, first)
    p50, p99 = np.percentile(readings, [50, 99]).tolist()
    alert_p99 = float(np.percentile(alerts, 99)) if alerts else None
    return Latency(p50, p99, alert_p99, len(alerts), PER_S, seconds)


def _with_bursts(values: list[bytes]) -> Iterator[bytes]:
    """Yields the records of one model, half of them given to callers in a hurry, one after the other, each with its model."""
    for number, value in enumerate(values):
        if number % BURST_SHARE:
            yield value
        else:
            burst = number // PER_S
            event = orjson.loads(value)
            event["caller"]["id"] = f"hasty-{burst:04}"
            event["model"]["name"] = model_name(burst % MODELS)
            yield orjson.dumps(event)


def _appended(brokers: str, topic: str, events: int) -> NDArray[np.int64]:
    """Returns append times by raw coordinates, int64 (partitions, offsets), Unix milliseconds."""
    times = np.zeros((RAW_PARTITIONS, events // RAW_PARTITIONS + 1), np.int64)
    for record in whole(brokers, topic):
        times[record.partition, record.offset] = record.append_ms
    return times


def _readings(kafka: Kafka, appended: NDArray[np.int64], first: int) -> NDArray[np.float64]:
    """Returns one latency per row at or after the raw offset `first`, to the readings record that tells of it.

    Under load several frames share one record, so a frame's is the first of its shard that it caused or that came after.
    """
    sensed: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for record in whole(kafka.brokers, topic_name(kafka, "readings")):
        link = unpack(record.value, Link, record.where)
        if unpack(link.body, Readings, record.where).tallies:
            sensed[link.source].append((link.offset, record.append_ms))
    told = {shard: sorted(records) for shard, records in sensed.items()}
    waits = []
    for record in whole(kafka.brokers, topic_name(kafka, "frames")):
        frame = decode_frame(record.value, record.where)
        for block in frame.blocks:
            rows = rows_of(block, frame.sources)
            partition = np.array([source.partition for source in frame.sources])[rows.source]
            offset = rows.position >> ROW_BITS
            told_of = told[record.partition]
            after = bisect_left(told_of, (record.offset, 0))
            if after == len(told_of):
                continue
            wait = told_of[after][1] - appended[partition, offset]
            waits.append(wait[offset >= first])
    return np.concatenate(waits).astype(np.float64)


def _alerts(kafka: Kafka, topic: str, appended: NDArray[np.int64], first: int) -> list[float]:
    """Returns one latency per new finding: from the latest raw record that it cites as evidence."""
    waits = []
    for record in whole(kafka.brokers, topic_name(kafka, "alerts")):
        finding = orjson.loads(record.value)
        cited = [tuple(map(int, uid.split(":")[-3:-1])) for uid in _cited(finding) if f":{topic}:" in f":{uid}"]
        if finding["activity_id"] == 1 and cited:
            at = max(cited, key=lambda place: int(appended[place]))
            if at[1] >= first:
                waits.append(float(record.append_ms - appended[at]))
    return waits


def _cited(finding: dict[str, object]) -> list[str]:
    info = finding["finding_info"]
    assert isinstance(info, dict)
    return [event["uid"] for event in info.get("related_events", [])]
