"""Formats: one SIEM format is one file and one line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from alerts.escape import printable, safe_json
from alerts.finding import Finding
from alerts.formats import ecs, ocsf

Header = tuple[str, bytes]


@dataclass(frozen=True, slots=True)
class Format:
    """One row of `FORMATS`.

    Attributes:
        render: a finding → one JSON object.
        topic: a key of the table of topics.
        sourcetype: how a SIEM that routes by header knows it.
    """

    render: Callable[[Finding], dict[str, Any]]
    topic: str
    sourcetype: str


FORMATS: Final[dict[str, Format]] = {
    "ocsf": Format(ocsf.render, "alerts", "tocsin:ocsf:finding"),
    "ecs": Format(ecs.render, "alerts_ecs", "tocsin:ecs:finding"),
}

INDEX: Final = "security"
SOURCE: Final = "tocsin"


def encode(format_name: str, finding: Finding) -> bytes:
    """Returns one record value: a JSON object with sorted keys and printable text only."""
    return safe_json(FORMATS[format_name].render(finding))


def headers(format_name: str, finding: Finding, deployment: str) -> tuple[Header, ...]:
    """Returns the record headers: CloudEvents 1.0 in Kafka's binary mode, and what Splunk routes by.

    Nothing in them names the process that wrote the record: another one may have to repeat it.

    Args:
        format_name: a key of `FORMATS`.
        finding: what the record says.
        deployment: name of this installation; the host a SIEM shows.
    """
    texts = {
        "ce_id": finding.uid,
        "ce_source": f"/tocsin/{deployment}",
        "ce_specversion": "1.0",
        "ce_subject": finding.subject,
        "ce_time": ecs.iso(finding.time),
        "ce_type": f"tocsin.finding.{format_name}.v1",
        "content-type": "application/json",
        "host": deployment,
        "index": INDEX,
        "source": SOURCE,
        "sourcetype": FORMATS[format_name].sourcetype,
    }
    return tuple((name, printable(text).encode()) for name, text in texts.items())
