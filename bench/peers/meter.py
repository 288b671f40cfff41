"""Meter: this process's CPU (all threads) and wall time between two event counts; shared by the peers' processes.

Imports nothing but the standard library and orjson, because the peers run in virtual environments of their own.
"""

from __future__ import annotations

import os
import time

import orjson


class Meter:
    """Starts after `warm` events, ends the process after `events` more with one JSON line on standard output."""

    def __init__(self, warm: int, events: int) -> None:
        """Counts nothing yet."""
        self.first, self.last, self.seen = warm, warm + events, 0
        self.cpu = self.wall = 0.0

    def tick(self, alarms: int) -> None:
        """Counts one event; `alarms` is reported, so that peers can be seen to do the same work."""
        self.seen += 1
        if self.seen == self.first:
            self.cpu, self.wall = time.process_time(), time.perf_counter()
        elif self.seen == self.last:
            cpu, wall = time.process_time() - self.cpu, time.perf_counter() - self.wall
            events = self.last - self.first
            line = {"us": cpu / events * 1e6, "per_s": events / wall, "events": events, "alarms": alarms}
            # Written past any redirection a framework has put on sys.stdout; a clean stop would only add to the measurement.
            os.write(1, orjson.dumps(line) + b"\n")
            os._exit(0)
