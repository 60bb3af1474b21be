"""What a warm pass-through request may cost, counted exactly: no thread, no database, two commands to the store.

The product's own ASGI application runs here behind its own server, on real sockets, in one event loop of this process,
so that what it does can be counted.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import socket
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvicorn
import uvloop
from django.db.backends.base.base import BaseDatabaseWrapper

from tests.factories.organizations import committed_database
from tests.harness import Gateway, free_port

__all__ = ["committed_database"]
REQUESTS = 50
MODELS = ["ikiro/sandbox", "openai/fake:normal"]
DRESSED = {"x-request-id", "x-api-version", "ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"}


@dataclass
class Counts:
    """What happened since ``reset``."""

    threads: list[str] = field(default_factory=list)
    database: list[str] = field(default_factory=list)

    def reset(self) -> None:
        self.threads.clear()
        self.database.clear()


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


class Client:
    """One kept connection that reads answers of known or chunked length, and starts nothing of its own."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: str) -> None:
        self._reader, self._writer, self._key = reader, writer, key

    async def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Answer:
        content = json.dumps(body).encode() if body is not None else b""
        self._writer.write(
            f"{method} {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {self._key}\r\n"
            f"content-length: {len(content)}\r\n\r\n".encode()
            + content
        )
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin1").split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in head[1:] if line)}
        if "content-length" in headers:
            content = await self._reader.readexactly(int(headers["content-length"]))
        else:
            content = b""
            while size := int(await self._reader.readline(), 16):
                content += (await self._reader.readexactly(size + 2))[:-2]
            await self._reader.readline()
        return Answer(int(head[0].split()[1]), headers, content)


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> Counts:
    """Counts threads that start and every use of a database connection, in whatever thread."""
    from tenants import context

    found = Counts()
    start, submit, cursor = threading.Thread.start, context._submit, BaseDatabaseWrapper.cursor

    def counted_start(self: threading.Thread) -> None:
        found.threads.append(self.name)
        start(self)

    async def counted_submit(run: Callable[[], Any]) -> Any:
        found.database.append("submitted")
        return await submit(run)

    def counted_cursor(self: Any, *args: Any, **kwargs: Any) -> Any:
        found.database.append(self.alias)
        return cursor(self, *args, **kwargs)

    monkeypatch.setattr(threading.Thread, "start", counted_start)
    monkeypatch.setattr(context, "_submit", counted_submit)
    monkeypatch.setattr(BaseDatabaseWrapper, "cursor", counted_cursor)
    return found


@pytest.fixture
def heap() -> Iterator[None]:
    """The server settles this process's heap for serving; undo that."""
    before = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


@pytest.fixture
def serve(
    gateway: Gateway, committed_database: None, upstream: Any, counts: Counts, heap: None, settings: Any
) -> Callable[[Callable[[Client, int], Coroutine[Any, Any, None]]], None]:
    """Run a scenario against the application, with acme's key; background loops stand still after the warm-up."""
    settings.IKIRO_PROVIDERS = {"openai": {"base_url": upstream.base_url, "api_key": "sk-upstream"}}

    @asynccontextmanager
    async def serving() -> AsyncIterator[int]:
        from ikiro.asgi import application
        from ikiro.protocol import Protocol

        port = free_port()
        config = uvicorn.Config(
            application, port=port, http=Protocol, lifespan="on", log_config=None, proxy_headers=False, access_log=False
        )
        server = uvicorn.Server(config)
        server.capture_signals = _no_signals
        running = asyncio.create_task(server.serve())
        while not server.started and not running.done():
            await asyncio.sleep(0.01)
        assert server.started
        try:
            yield port
        finally:
            server.should_exit = True
            await running

    async def run(scenario: Callable[[Client, int], Coroutine[Any, Any, None]]) -> None:
        from gateway.surfaces import lifespan

        async with asyncio.timeout(40), serving() as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            client = Client(reader, writer, gateway.acme.api_key)
            for model in MODELS:
                for stream in (False, True):
                    for _ in range(5):
                        answer = await client.ask("POST", "/v1/chat/completions", completion(model, stream))
                        assert answer.status == 200, answer.body
            for task in lifespan._group._tasks:
                task.cancel()
            await asyncio.sleep(0.1)
            counts.reset()
            await scenario(client, port)
            writer.close()

    def call(scenario: Callable[[Client, int], Coroutine[Any, Any, None]]) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run(scenario))

    return call


def _no_signals() -> Any:
    from contextlib import nullcontext

    return nullcontext()


def completion(model: str, stream: bool) -> dict[str, Any]:
    return {"model": model, "stream": stream, "messages": [{"role": "user", "content": "hello"}]}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", MODELS)
def test_pass_through__warm__no_thread_no_query_two_commands(
    serve: Any, counts: Counts, model: str, stream: bool
) -> None:
    async def scenario(client: Client, port: int) -> None:
        from gateway.platform.admission import gate

        sent = gate.store().commands_sent
        for _ in range(REQUESTS):
            answer = await client.ask("POST", "/v1/chat/completions", completion(model, stream))
            assert answer.status == 200, answer.body
            assert set(answer.headers) >= DRESSED
        await asyncio.sleep(0.2)
        assert counts.threads == []
        assert counts.database == []
        assert gate.store().commands_sent - sent <= 2 * REQUESTS

    serve(scenario)


def test_plain__warm__goes_straight_from_packet_to_packet(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """No task, and the server's own reading of it neither; what is streamed has one."""

    async def scenario(client: Client, port: int) -> None:
        from gateway.surfaces.fast_lane import FastLane

        entered = []
        enter = FastLane.__call__

        async def counted(self: FastLane, *asgi: Any) -> None:
            entered.append(len(asyncio.all_tasks()))
            await enter(self, *asgi)

        monkeypatch.setattr(FastLane, "__call__", counted)
        before = asyncio.all_tasks()
        for stream, tasks in ((False, 0), (True, REQUESTS)):
            for _ in range(REQUESTS):
                answer = await client.ask("POST", "/v1/chat/completions", completion(MODELS[1], stream))
                assert answer.status == 200, answer.body
                assert stream or asyncio.all_tasks() == before
            assert len(entered) == tasks

    serve(scenario)


def test_me__warm__no_thread_no_query_one_command(serve: Any, counts: Counts) -> None:
    async def scenario(client: Client, port: int) -> None:
        from gateway.platform.admission import gate

        sent = gate.store().commands_sent
        for _ in range(REQUESTS):
            answer = await client.ask("GET", "/v1/me")
            assert answer.status == 200
            assert set(answer.headers) >= DRESSED
        assert (counts.threads, counts.database) == ([], [])
        assert gate.store().commands_sent - sent == REQUESTS

    serve(scenario)


def test_known_key__refused_by_its_shape__costs_nothing_at_all(serve: Any, counts: Counts) -> None:
    async def scenario(client: Client, port: int) -> None:
        from gateway.platform.admission import gate

        sent = gate.store().commands_sent
        client._key = client._key[:-1] + ("0" if client._key[-1] != "0" else "1")
        for _ in range(REQUESTS):
            answer = await client.ask("POST", "/v1/chat/completions", completion(MODELS[0], False))
            assert answer.status == 401
            assert {"x-request-id", "x-api-version"} <= set(answer.headers)
        assert (counts.threads, counts.database) == ([], [])
        assert gate.store().commands_sent == sent

    serve(scenario)


def test_sockets__of_callers_and_of_providers__send_without_delay(serve: Any, upstream: Any) -> None:
    """With Nagle's algorithm on either side a small frame waits for the other's acknowledgement, some 40 ms."""

    async def scenario(client: Client, port: int) -> None:
        assert (await client.ask("POST", "/v1/chat/completions", completion(MODELS[1], True))).status == 200
        accepted = [no_delay for local, remote, no_delay in sockets() if local == port and remote]
        outbound = [no_delay for _, remote, no_delay in sockets() if remote == upstream_port]
        assert accepted == [True]
        assert outbound
        assert all(outbound)

    upstream_port = int(upstream.base_url.split(":")[2].split("/")[0])
    serve(scenario)


def sockets() -> Iterator[tuple[int, int, bool]]:
    """(local port, remote port or 0, TCP_NODELAY) of every TCP socket of this process."""
    for name in os.listdir("/proc/self/fd"):
        try:
            copy = socket.socket(fileno=os.dup(int(name)))
        except OSError:
            continue
        with copy:
            if copy.family is not socket.AF_INET or copy.type & socket.SOCK_STREAM == 0:
                continue
            try:
                remote = copy.getpeername()[1]
            except OSError:
                remote = 0
            yield copy.getsockname()[1], remote, bool(copy.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))


def test_answer__of_every_kind__carries_its_request_id_and_version(gateway: Gateway) -> None:
    with gateway.acme.client() as client:
        ids = set()
        for method, path, status, limited in (
            ("GET", "/v1/me", 200, True),
            ("GET", "/v1/personas", 200, True),
            ("GET", "/v1/memories/mem_nothing", 404, True),
            ("POST", "/v1/chat", 422, True),
            ("PUT", "/v1/chat", 405, False),
            ("GET", "/v1/nothing", 404, False),
            ("GET", "/v1/openapi.json", 200, False),
            ("GET", "/healthz", 200, False),
            ("GET", "/readyz", 200, False),
        ):
            answer = client.request(method, path)
            assert answer.status_code == status, path
            wanted = DRESSED if limited else {"x-request-id", "x-api-version"}
            assert wanted <= set(answer.headers), path
            assert answer.headers["request-id"] == answer.headers["x-request-id"]
            ids.add(answer.headers["x-request-id"])
        assert len(ids) == 9
