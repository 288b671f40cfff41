"""Reject: every reason for which a record, or one row of it, is dead-lettered instead of framed."""

from __future__ import annotations

from enum import StrEnum

from tocsin.errors import RejectError


class Reason(StrEnum):
    """Why a record was refused; the name is what dead letters, metrics and operators see."""

    EMPTY = "EMPTY"
    """No value, or a batch without a single row."""
    TOO_LARGE = "TOO_LARGE"
    """More than MAX_RECORD_BYTES."""
    ENCODING = "ENCODING"
    """Not UTF-8."""
    JSON = "JSON"
    """Not JSON by RFC 8259."""
    NOT_OBJECT = "NOT_OBJECT"
    """JSON, but an event must be an object."""
    DEPTH = "DEPTH"
    """Nested deeper than MAX_DEPTH."""
    DUP_KEY = "DUP_KEY"
    """One object names a key twice: two readers would see two records."""
    TOO_MANY_ROWS = "TOO_MANY_ROWS"
    """A batch of more than MAX_BATCH_ROWS."""
    TOO_MANY_FEATURES = "TOO_MANY_FEATURES"
    """More than MAX_FEATURES."""
    LENGTH = "LENGTH"
    """Columns of one batch differ in length."""
    MISSING = "MISSING"
    """A required field is absent."""
    TYPE = "TYPE"
    """A field has the wrong type; a boolean is no number."""
    OUT_OF_DOMAIN = "OUT_OF_DOMAIN"
    """A number outside of what it can mean."""
    INT_RANGE = "INT_RANGE"
    """A number beyond 2**53, where neighbouring integers cannot be told apart."""
    BAD_ID = "BAD_ID"
    """An id that is empty, too long, or tries to be a path."""
    CONTROL_CHAR = "CONTROL_CHAR"
    """A control character in an id, which would forge lines in somebody's log."""
    RESERVED_KEY = "RESERVED_KEY"
    """A key that frameworks give a meaning of their own."""
    VERSION = "VERSION"
    """A schema, or a version of it, that this format does not read."""
    UNKNOWN_FORMAT = "UNKNOWN_FORMAT"
    """No format recognises the record."""
    UNKNOWN_CONTROL = "UNKNOWN_CONTROL"
    """A control order of a kind that does not exist."""


def reject(reason: Reason, detail: str) -> RejectError:
    """Returns the error to raise; what a producer wrote goes into `detail` only through `shown`."""
    return RejectError(reason.value, detail)


def shown(value: object) -> str:
    """Returns a short, escaped picture of what was found, safe to print."""
    text = ascii(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
