"""Triage: one fold for the fleet. Signals in; findings, proposals and health records out."""

from __future__ import annotations

from alerts.escape import safe_json
from alerts.finding import Finding
from alerts.formats import FORMATS, encode, headers
from alerts.health import health_of
from alerts.triage import Triage
from streams.stage.machine import Outputs, Send
from streams.topics import partition_of
from tocsin.codec import unpack
from tocsin.config import Config
from tocsin.signal import Signals
from tocsin.state import Sections

DEPLOYMENT = "tocsin"
"""What this installation is called when its topics carry no prefix."""


class TriageFold:
    """`alerts.triage.Triage` between bytes and topics.

    Attributes:
        triage: the incidents.
        deployment: what headers call this installation; the same in every process of it.
    """

    def __init__(self, config: Config) -> None:
        """Starts with nothing open."""
        self.triage = Triage(config.privacy, config.model)
        self.deployment = config.kafka.prefix.strip(".-_") or DEPLOYMENT

    def apply(self, body: bytes, where: str) -> Outputs:
        """Returns the records one signals record leads to, each to a partition chosen by what it is about."""
        record = unpack(body, Signals, where)
        sends = [send for finding in self.triage.apply(record) for send in self._sends(finding)]
        for entry in health_of(record):
            partition = partition_of("health", entry.source)
            sends.append(Send("health", partition, entry.source.encode(), safe_json(entry)))
        return Outputs(records=tuple(sends))

    def _sends(self, finding: Finding) -> list[Send]:
        key = finding.incident
        sends = [
            Send(
                row.topic,
                partition_of(row.topic, key),
                key.encode(),
                encode(name, finding),
                headers(name, finding, self.deployment),
            )
            for name, row in FORMATS.items()
        ]
        proposal = finding.proposal
        if proposal is not None:
            partition = partition_of("proposals", proposal.model)
            sends.append(Send("proposals", partition, proposal.id.encode(), safe_json(proposal)))
        return sends

    def dump(self) -> Sections:
        """Returns the incidents, the silences, and what was heard before."""
        return self.triage.dump()

    def load(self, sections: Sections) -> list[str]:
        """Replaces the state; returns a line for every section that was dropped or starts cold."""
        return self.triage.load(sections)
