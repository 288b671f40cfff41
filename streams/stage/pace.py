"""Pace: every duration and size by which a stage works; tests and the embedded broker use their own."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """How often, how large, how patient.

    Attributes:
        snapshot_s: least time between two snapshots of a partition.
        snapshot_bytes_s: and they must not write more than this many bytes a second.
        chunk_bytes: largest value in a state topic; below 1 MB, below 512 KiB on the embedded broker.
        cheap_bytes: a partition with a smaller state is snapshotted when it is taken away.
        revoke_s: how long that may hold up a rebalance.
        send_s: a send unacknowledged for longer ends the process: it may hang for ever.
        quiet_s: how long a paused partition must be quiet before it is sought.
        seek_s: how long a seek may take to show its first record before it is repeated.
        seeks: how often it is repeated before the record counts as missing.
        stall_s: no progress for so long although records wait ends the process.
        watch_s: how often the broker is asked how much waits.
        stop_s: how long a graceful stop may take.
        pulse_s: how often due snapshots and hung sends are looked for.
    """

    snapshot_s: float = 5.0
    snapshot_bytes_s: float = 2e6
    chunk_bytes: int = 500_000
    cheap_bytes: int = 1_000_000
    revoke_s: float = 3.0
    send_s: float = 30.0
    quiet_s: float = 0.3
    seek_s: float = 5.0
    seeks: int = 5
    stall_s: float = 60.0
    watch_s: float = 10.0
    stop_s: float = 20.0
    pulse_s: float = 0.1
