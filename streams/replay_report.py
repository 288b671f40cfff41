"""Replay report: what a replay prints.

JSON, one object per line: `{"finding": <OCSF Detection Finding>}` for each finding in the order in which it
was made, with `--lab` also `"lab": {"callers": [{"hash", "id", "id_kind"}], "events": [{"at", "event"}], "signals": […]}` in
clear, for the owner of the data, where callers are those that a finding is about and those whose hashes its evidence names;
then one line `{"summary": {"counts": {…}, "proposals": […], "rejected": {reason: n}}}`.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
import orjson

from streams.raw_events import Events, Place
from streams.replay import Found, Replay
from tocsin.codec import json_bytes


def lines(replay: Replay, events: Events | None = None) -> list[bytes]:
    """Returns the JSON lines of a replay, without line ends; `events` adds the lab's view."""
    opened = events.at(frozenset(place for found in replay.found for place in _places(found))) if events else {}
    out = []
    for found in replay.found:
        line: dict[str, Any] = {"finding": orjson.loads(found.finding)}
        if events is not None:
            line["lab"] = _lab(found, replay.callers, opened)
        out.append(json_bytes(line))
    refused = Counter(rejected.reason for rejected in replay.rejected)
    proposals = [orjson.loads(proposal) for proposal in replay.proposals]
    out.append(json_bytes({"summary": {"counts": replay.counts, "proposals": proposals, "rejected": dict(refused)}}))
    return out


def _lab(found: Found, callers: dict[str, tuple[str, str]], opened: dict[Place, bytes]) -> dict[str, Any]:
    record = orjson.loads(found.finding)
    hashes = [evidence["actor"]["user"]["uid_alt"] for evidence in record["evidences"] if "actor" in evidence]
    members = str(record["evidences"][0]["data"]["values"].get("members", "")).split(", ")
    named = [(hash64, *callers[hash64]) for hash64 in dict.fromkeys((*hashes, *members)) if hash64 in callers]
    return {
        "callers": [{"hash": hash64, "id": caller, "id_kind": kind} for hash64, caller, kind in named],
        "events": [
            {"at": ":".join(map(str, place)), "event": opened[place].decode(errors="replace")}
            for place in _places(found)
            if place in opened
        ],
        "signals": [msgspec.to_builtins(signal) for signal in found.signals],
    }


def _places(found: Found) -> list[Place]:
    """Returns the records that a finding shows as examples, each once, in order."""
    record = orjson.loads(found.finding)
    places = []
    for event in record["finding_info"]["related_events"]:
        topic, partition, offset, _row = event["uid"].removeprefix("kafka:").rsplit(":", 3)
        places.append((topic, int(partition), int(offset)))
    return list(dict.fromkeys(places))
