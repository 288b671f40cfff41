"""ATLAS: the names of the MITRE ATLAS techniques that Tocsin's detectors can point at (ATLAS data 5.6.0)."""

from __future__ import annotations

from typing import Final, NamedTuple

VERSION: Final = "5.6.0"

TACTICS: Final[dict[str, str]] = {
    "AML.TA0000": "AI Model Access",
    "AML.TA0001": "AI Attack Staging",
    "AML.TA0006": "Persistence",
    "AML.TA0007": "Defense Evasion",
    "AML.TA0010": "Exfiltration",
    "AML.TA0011": "Impact",
}


class Technique(NamedTuple):
    """One technique or sub-technique.

    Attributes:
        name: as ATLAS writes it.
        tactic: a key of `TACTICS`, the one that fits a model under attack; a sub-technique has its parent's.
    """

    name: str
    tactic: str


TECHNIQUES: Final[dict[str, Technique]] = {
    "AML.T0015": Technique("Evade AI Model", "AML.TA0007"),
    "AML.T0020": Technique("Poison Training Data", "AML.TA0006"),
    "AML.T0024": Technique("Exfiltration via AI Inference API", "AML.TA0010"),
    "AML.T0024.000": Technique("Infer Training Data Membership", "AML.TA0010"),
    "AML.T0024.001": Technique("Invert AI Model", "AML.TA0010"),
    "AML.T0024.002": Technique("Extract AI Model", "AML.TA0010"),
    "AML.T0029": Technique("Denial of AI Service", "AML.TA0011"),
    "AML.T0031": Technique("Erode AI Model Integrity", "AML.TA0011"),
    "AML.T0034": Technique("Cost Harvesting", "AML.TA0011"),
    "AML.T0040": Technique("AI Model Inference API Access", "AML.TA0000"),
    "AML.T0043": Technique("Craft Adversarial Data", "AML.TA0001"),
    "AML.T0043.001": Technique("Black-Box Optimization", "AML.TA0001"),
}
"""A new detector's techniques are added here; a test holds this table against the detectors and against ATLAS."""


def parent_of(technique: str) -> str:
    """Returns the technique a sub-technique belongs to, or the technique itself: `AML.T0024.002` → `AML.T0024`."""
    return ".".join(technique.split(".")[:2])


def link(technique: str) -> str:
    """Returns the page of a technique or tactic."""
    kind = "tactics" if technique.startswith("AML.TA") else "techniques"
    return f"https://atlas.mitre.org/{kind}/{technique}"
