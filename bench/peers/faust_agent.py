"""Naive Faust: one agent, one event per message. Arguments: brokers, topic, light|full, warm-up events, events, directory."""

from __future__ import annotations

import sys
import uuid

import faust
import orjson

from bench.peers.duty import Duty
from bench.peers.meter import Meter

brokers, topic, duty_name, warm, events, directory = sys.argv[1:7]
duty = Duty(full=duty_name == "full")
meter = Meter(int(warm), int(events))
app = faust.App(
    f"bench-faust-{uuid.uuid4().hex[:8]}",
    broker=f"kafka://{brokers}",
    store="memory://",
    datadir=directory,
    web_enabled=False,
    topic_disable_leader=True,
    consumer_auto_offset_reset="earliest",
    worker_redirect_stdouts=False,
)
raw = app.topic(topic, key_serializer="raw", value_serializer="raw", value_type=bytes)


@app.agent(raw)
async def watch(stream: faust.StreamT[bytes]) -> None:
    """Sees every event."""
    async for value in stream:
        # orjson on raw bytes is faster than Faust's own JSON codec: the peer gets the better of the two.
        duty.see(orjson.loads(value))
        meter.tick(duty.alarms)


if __name__ == "__main__":
    sys.argv = [sys.argv[0], "worker", "--without-web", "--loglevel", "error"]
    app.main()
