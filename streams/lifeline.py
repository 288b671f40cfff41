"""Lifeline: a child process that does not outlive us, even when we are killed with -9."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Sequence


def tied(argv: Sequence[str], signal_name: str) -> list[str]:
    """Returns the command so changed that the kernel sends the child this signal when we die.

    That needs `setpriv` (util-linux), and the signal follows the *thread* that started the child: elsewhere, or from
    another thread than the main one, the command comes back as it is.
    """
    if shutil.which("setpriv") is None or threading.current_thread() is not threading.main_thread():
        return list(argv)
    return ["setpriv", "--pdeathsig", signal_name, *argv]
