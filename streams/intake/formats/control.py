"""Control: an operator's order, `{"kind": "silence", "body": {…}}`; what a body holds is `tocsin/control.py`'s to say.

It is never sniffed: a producer of events must not be able to give orders.
"""

from __future__ import annotations

from streams.intake.document import Document
from streams.intake.reject import Reason, reject, shown
from tocsin.codec import json_bytes
from tocsin.config import RawTopic
from tocsin.control import control_body
from tocsin.event import ControlEvent


def sniff(document: Document) -> bool:  # noqa: ARG001 - one signature for every format
    """Returns False, see above."""
    return False


def decode(document: Document, topic: RawTopic) -> ControlEvent:  # noqa: ARG001 - one signature for every format
    """Returns the order in one object."""
    kind, body = document.get("kind"), document.get("body")
    if not isinstance(kind, str) or not isinstance(body, dict):
        raise reject(Reason.TYPE, f"control: {{'kind': text, 'body': object}} expected; got {shown(document)}")
    order = json_bytes(body)
    control_body(kind, order)
    return ControlEvent(kind, order)
