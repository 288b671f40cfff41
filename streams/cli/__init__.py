"""Command line: `tocsin`. One file per group of verbs; heavy imports happen inside the commands, so `--help` is instant."""

from __future__ import annotations

import os

# Before numpy is loaded: small products on several threads cost up to twenty times the CPU, and gain nothing.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from streams.cli.app import main

__all__ = ["main"]
