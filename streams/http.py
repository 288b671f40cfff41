"""HTTP: /livez, /readyz and /metrics on loopback, in a thread of its own.

A thread, not a task, so that the synchronous intake and the asyncio worker are served alike, and so that a main loop that is
stuck can still be seen to be stuck.
"""

from __future__ import annotations

import asyncio
import threading
from types import TracebackType
from typing import Final, Self

from aiohttp import web

from streams.health import Health
from streams.metrics import Metrics
from tocsin.codec import json_bytes
from tocsin.errors import ConfigError

OFF: Final = -1
START_TIMEOUT_S: Final = 10.0


class StatusServer:
    """The three endpoints of one process; a context manager.

    Attributes:
        port: where it listens, known once started; `OFF` when it does not.
    """

    def __init__(self, host: str, port: int, health: Health, metrics: Metrics) -> None:
        """Prepares a server; port 0 takes any free one and -1 starts none."""
        self.port = port
        self._host = host
        self._health = health
        self._metrics = metrics
        self._loop: asyncio.AbstractEventLoop | None = None
        self._started = threading.Event()
        self._error: OSError | None = None
        self._thread = threading.Thread(target=self._serve, name="http", daemon=True)

    def __enter__(self) -> Self:
        """Starts listening.

        Raises:
            ConfigError: the address is taken or not ours.
        """
        if self.port == OFF:
            return self
        self._thread.start()
        self._started.wait(START_TIMEOUT_S)
        if self._error is not None:
            raise ConfigError(f"http: {self._host}:{self.port} cannot be listened on: {self._error.strerror}")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stops listening."""
        if self._loop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(START_TIMEOUT_S)

    def _serve(self) -> None:
        self._loop = loop = asyncio.new_event_loop()
        runner = web.AppRunner(self._app(), access_log=None)
        try:
            loop.run_until_complete(self._listen(runner))
        except OSError as error:
            self._error = error
            self._started.set()
        else:
            self._started.set()
            loop.run_forever()
        loop.run_until_complete(runner.cleanup())
        loop.close()

    async def _listen(self, runner: web.AppRunner) -> None:
        await runner.setup()
        await web.TCPSite(runner, self._host, self.port).start()
        self.port = runner.addresses[0][1]

    def _app(self) -> web.Application:
        app = web.Application()
        app.add_routes([web.get("/livez", self._livez), web.get("/readyz", self._readyz), web.get("/metrics", self._show)])
        return app

    async def _livez(self, _: web.Request) -> web.Response:
        problem = self._health.live()
        return _answer({"live": not problem, "problem": problem}, ok=not problem)

    async def _readyz(self, _: web.Request) -> web.Response:
        problems = self._health.unready()
        return _answer({"ready": not problems, "problems": problems, "notes": self._health.notes()}, ok=not problems)

    async def _show(self, _: web.Request) -> web.Response:
        self._metrics.set("ready", 0 if self._health.unready() else 1)
        return web.Response(body=self._metrics.render(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})


def _answer(body: dict[str, object], *, ok: bool) -> web.Response:
    return web.Response(body=json_bytes(body) + b"\n", status=200 if ok else 503, content_type="application/json")
