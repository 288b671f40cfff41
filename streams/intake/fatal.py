"""Fatal: what a consumer cannot go on after ends the process hard; a fenced one says so and is not started again."""

from __future__ import annotations

import os
import sys
from typing import Final

from confluent_kafka import KafkaError

from tocsin.errors import Exit

_FENCED: Final = "group.instance.id"
"""In librdkafka's words for a static member that another one of its name has replaced, when the code says only: fatal."""


def is_fenced(error: KafkaError) -> bool:
    """Returns whether another process has taken this member's place in the group.

    A poll that meets it says only "fatal", a commit that meets it first is told by the code, and does not call it fatal.
    """
    return error.code() == KafkaError.FENCED_INSTANCE_ID or _FENCED in error.str()


def end_if_fatal(error: KafkaError) -> None:
    """Ends the process if the consumer cannot go on: with 2 when it is fenced, with 70 otherwise."""
    fenced = is_fenced(error)
    if fenced or error.fatal() or error.code() == KafkaError._FATAL:  # noqa: SLF001 - a fenced static member reports only this
        # Restarted, we would fence the other process in turn, and so on for ever: the newer one stays, a person must see us.
        advice = "; another intake runs with the same `instance`, give each its own (TOCSIN_INSTANCE)" if fenced else ""
        sys.stderr.write(f"tocsin intake: the consumer cannot go on: {error}{advice}\n")
        sys.stderr.flush()
        os._exit(Exit.CONFIG if fenced else Exit.FAULT)
