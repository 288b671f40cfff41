"""Quix Streams: the same duty. Arguments: brokers, topic, light|full, warm-up events, events, directory."""

from __future__ import annotations

import sys
import uuid
from typing import Any

import orjson
from quixstreams import Application

from bench.peers.duty import Duty
from bench.peers.meter import Meter


def main(brokers: str, topic: str, duty_name: str, warm: int, events: int, directory: str) -> None:
    """Runs until the meter ends the process."""
    duty, meter = Duty(full=duty_name == "full"), Meter(warm, events)
    app = Application(
        broker_address=brokers,
        consumer_group=f"bench-quix-{uuid.uuid4().hex[:8]}",
        auto_offset_reset="earliest",
        auto_create_topics=False,
        state_dir=directory,
        loglevel="ERROR",
    )

    def see(value: Any) -> None:
        duty.see(orjson.loads(value))
        meter.tick(duty.alarms)

    source = app.topic(topic, value_deserializer="bytes", key_deserializer="bytes")
    app.run(app.dataframe(source).apply(see))


if __name__ == "__main__":
    brokers, topic, duty_name, warm, events, directory = sys.argv[1:7]
    main(brokers, topic, duty_name, int(warm), int(events), directory)
