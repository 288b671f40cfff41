"""Escape: text from outside, made safe to look at.

Ids and error texts are written by strangers. A terminal escape, a right-to-left override or a zero-width space in one can
forge a log line or hide a name, and JSON lets most of them through. So everything that leaves is escaped, in one place.
"""

from __future__ import annotations

from typing import Any

import msgspec

from tocsin.codec import json_bytes


def printable(text: str) -> str:
    r"""Returns the text with every character that does not print as itself written out, e.g. `\u202e`.

    That covers controls, bidirectional and zero-width marks, line separators, exotic spaces, private and unassigned code
    points. Printable text is returned as it is.

    >>> printable("acct-\u202e8841\n")
    'acct-\\u202e8841\\u000a'
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _written_out(char) for char in text)


def _written_out(char: str) -> str:
    code = ord(char)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def safe(value: Any) -> Any:
    """Returns a JSON value with every text in it printable, keys included."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {printable(str(key)): safe(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [safe(item) for item in value]
    return value


def safe_json(value: Any) -> bytes:
    """Returns a JSON value, or a Struct, as bytes with sorted keys and printable text only."""
    return json_bytes(safe(msgspec.to_builtins(value)))
