"""Processes: Tocsin's own command line as children that can be killed, joined and restarted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Child:
    """One Tocsin process under attack.

    Attributes:
        name: for the log file.
        command: `intake` or `worker`.
        config: its configuration file.
        log: what it printed.
        broken: name of a break in `tests.chaos.broken.BREAKS`, "" for the real build.
        kills: kill -9s it has survived.
        exits: codes of the times it ended by itself.
    """

    name: str
    command: str
    config: Path
    log: Path
    broken: str = ""
    kills: int = 0
    exits: list[int] = field(default_factory=list)
    wanted: bool = False
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts the process; it is restarted by `tend` for as long as it is wanted."""
        self.wanted = True
        start = ["-m", "tests.chaos.broken", self.broken] if self.broken else ["-m", "streams.cli"]
        with self.log.open("ab") as out:
            out.write(f"=== {self.name} {time.time():.2f}\n".encode())
            out.flush()
            self.process = subprocess.Popen(
                [sys.executable, *start, self.command, "--config", str(self.config)],
                stdout=out,
                stderr=out,
                stdin=subprocess.DEVNULL,
                cwd=Path(__file__).parents[2],
                env={**os.environ, "PYTHONHASHSEED": "random"},
            )

    def tend(self) -> None:
        """Restarts the process when it ended by itself, as the supervisor would."""
        if self.wanted and self.process is not None and (code := self.process.poll()) is not None:
            self.exits.append(code)
            self.start()

    def kill(self) -> None:
        """kill -9, and start again at once."""
        self._end(signal.SIGKILL)
        self.kills += 1
        self.start()

    def leave(self, sign: signal.Signals) -> None:
        """Ends the process by a signal, and lets it stay away."""
        self.wanted = False
        self._end(sign)

    def _end(self, sign: signal.Signals) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(sign)
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
