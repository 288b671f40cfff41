"""Resident: how much memory this process takes, as Linux tells it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

MB: Final = 1e6


def rss_mb() -> float:
    """Returns the resident size now, MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / MB


def peak_mb() -> float:
    """Returns the highest resident size since this program began, MB; getrusage would tell its parent's."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) * 1_024 / MB if found else float("nan")
