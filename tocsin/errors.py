"""Errors, by whose fault they are. A message says where, what must hold, and what was found.

TocsinError
├── ConfigError      the operator's: refuse to start                      exit 2
├── RejectError      a producer's: dead-letter the record, go on          never leaves intake
├── FileError        a damaged input file                                 exit 3
├── BrokerError      Kafka cannot be reached or refuses us                exit 4
├── VersionError     a peer speaks a version this process cannot read     exit 6
├── SignatureError   a signed record that is forged, changed, or by nobody we trust; never acted upon       exit 5
├── StateError       a snapshot that is damaged, forged or not ours       exit 6
└── HoleError        a record that must exist is missing                  exit 71

Anything else that escapes is our own bug: exit 70.
"""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar


class Exit(IntEnum):
    """Exit codes of every `tocsin` command, documented in README.md."""

    OK = 0
    CHECK_FAILED = 1
    CONFIG = 2
    FILE = 3
    BROKER = 4
    REFUSED = 5
    VERSION = 6
    FAULT = 70
    HOLE = 71
    UNDELIVERED = 72
    STALLED = 73


class TocsinError(Exception):
    """The root of every error that is not our own bug."""

    exit_code: ClassVar[Exit] = Exit.FAULT


class ConfigError(TocsinError):
    """A setting is wrong: names the file, the key, what was wanted and what was found."""

    exit_code = Exit.CONFIG


class RejectError(TocsinError):
    """A producer's record cannot be used.

    Attributes:
        reason: one of `tocsin.reject.Reason`, in capitals, e.g. `NOT_OBJECT`.
        detail: where and what, at most 200 characters.
    """

    def __init__(self, reason: str, detail: str) -> None:
        """Keeps the reason apart from the detail, so that it can be counted."""
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail[:200]


class FileError(TocsinError):
    """An input file is damaged: names the file and the line."""

    exit_code = Exit.FILE


class BrokerError(TocsinError):
    """Kafka cannot be reached, or refuses what we asked of it."""

    exit_code = Exit.BROKER


class VersionError(TocsinError):
    """A record was written by a newer version than this process."""

    exit_code = Exit.VERSION


class StateError(TocsinError):
    """A snapshot is damaged, forged, or belongs to another stage or partition."""

    exit_code = Exit.VERSION


class SignatureError(TocsinError):
    """A signed record is forged, changed, late, or by a key that is not trusted for it."""

    exit_code = Exit.REFUSED


class HoleError(TocsinError):
    """A record that must exist is missing between two stages or in the ledger."""

    exit_code = Exit.HOLE
