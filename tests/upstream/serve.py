"""Running the scripted provider, and talking to it from a test."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn

from tests.upstream.app import Upstream


class Handle:
    """A running upstream, seen from a test. Works over HTTP, so it serves a thread and a process alike."""

    def __init__(self, root: str) -> None:
        self.root, self.base_url = root, root + "/v1"

    def calls(self) -> list[dict[str, Any]]:
        return self._http("/__calls")["calls"]

    def script(self, scenario: str, **options: Any) -> None:
        self._http("/__script", {"scenario": scenario, "options": options})

    def cancelled(self) -> int:
        """How many calls were let go by the client before their answer was complete."""
        return sum(call["disconnected"] and not call["finished"] for call in self.calls())

    def models(self, *names: str, status: int = 200, delay_ms: int = 0) -> None:
        """What ``GET /models`` answers from now on."""
        self._http("/__models", {"ids": list(names), "status": status, "delay_ms": delay_ms})

    def listings(self) -> list[dict[str, str]]:
        """The headers of each ``GET /models`` so far."""
        return self._http("/__listings")["listings"]

    def reset(self) -> None:
        self._http("/__reset", {})

    def wait_for(self, condition: Callable[[list[dict[str, Any]]], bool], seconds: float = 1.0) -> list[dict[str, Any]]:
        """Poll ``calls()`` until the condition holds. Raises AssertionError when it does not within ``seconds``."""
        until = time.monotonic() + seconds
        while not condition(seen := self.calls()):
            if time.monotonic() > until:
                raise AssertionError(f"not within {seconds} s: {seen}")
            time.sleep(0.02)
        return seen

    def _http(self, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(urllib.request.Request(self.root + path, data=data), timeout=5) as answer:
            return json.load(answer)


def configuration(app: Any) -> uvicorn.Config:
    # None is a valid logging configuration: a dropped connection is a scripted event here, not an error to print.
    return uvicorn.Config(
        app, log_config=None, access_log=False, lifespan="off", http="httptools", timeout_graceful_shutdown=1
    )


@contextlib.contextmanager
def running() -> Iterator[Handle]:
    """Serve in a thread of this process until the block ends."""
    server = uvicorn.Server(configuration(Upstream()))
    sock = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(
        target=lambda: asyncio.run(server.serve(sockets=[sock])), name="fake-upstream", daemon=True
    )
    thread.start()
    try:
        while not server.started:
            time.sleep(0.005)
        yield Handle(f"http://127.0.0.1:{sock.getsockname()[1]}")
    finally:
        server.should_exit = server.force_exit = True
        thread.join(10)
        sock.close()
