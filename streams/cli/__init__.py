"""Command line: `tocsin`. One file per group of verbs; heavy imports happen inside the commands, so `--help` is instant."""

from __future__ import annotations

from streams.cli.app import main

__all__ = ["main"]
