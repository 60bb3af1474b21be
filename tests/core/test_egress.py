"""The one way out: what it bounds, what it keeps apart, and that letting go reaches the upstream."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time

import pytest
import uvloop

from gateway.core import egress
from tests.core.egress_support import OK, answering, fetch, serving
from tests.upstream import running


def test_open__redirect__is_returned_not_followed():
    async def scene():
        async with serving(
            answering(b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n")
        ) as (root, seen):
            return (await fetch(root))[0], seen["requests"]

    assert asyncio.run(scene()) == (302, 1)


def test_open__proxy_environment__is_ignored(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    async def scene():
        async with serving(answering(OK)) as (root, _):
            return await fetch(root)

    assert asyncio.run(scene()) == (200, b"ok")


def test_open__hundred_calls_in_a_row__use_one_connection_with_nodelay():
    async def handler(reader, writer, head):
        assert await reader.readexactly(10) == b"x" * 10
        writer.write(OK)

    async def scene():
        async with serving(handler) as (root, seen):
            for _ in range(100):
                async with egress.open("POST", root, {}, b"x" * 10, trusted=True) as response:
                    assert await response.read() == b"ok"
                    raw = response._connection.transport.get_extra_info("socket")
            return seen, bool(raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    assert asyncio.run(scene()) == ({"connections": 1, "requests": 100}, True)


def test_open__two_hundred_at_once__nobody_gets_anothers_answer():
    async def handler(reader, writer, head):
        path = head.split(b" ")[1]
        await asyncio.sleep(0.001 * (hash(path) % 5))
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        for part in (path, b"-", path):
            writer.write(b"%x\r\n%s\r\n" % (len(part), part))
            await asyncio.sleep(0)
        writer.write(b"0\r\n\r\n")

    async def scene():
        async with serving(handler) as (root, seen):

            async def one(number: int) -> bool:
                return await fetch(f"{root}/n{number}", timeouts=egress.Timeouts()) == (
                    200,
                    f"/n{number}-/n{number}".encode(),
                )

            right = [await asyncio.gather(*(one(number + 200 * turn) for number in range(200))) for turn in range(3)]
            return all(all(turn) for turn in right), seen["connections"]

    assert asyncio.run(scene()) == (True, 200)


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("moment", ["before the head", "in the body"])
def test_open__task_cancelled__upstream_sees_it_within_a_second(loop, moment):
    gone: dict[str, float] = {}
    seen = asyncio.Event()

    async def handler(reader, writer, head):
        if moment == "in the body":
            writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n")
        with contextlib.suppress(ConnectionError):
            assert await reader.read(1) == b""
        gone["at"] = time.monotonic()
        seen.set()
        writer.close()

    async def scene():
        async with serving(handler) as (root, _):
            task = asyncio.create_task(fetch(root, timeouts=egress.Timeouts()))
            await asyncio.sleep(0.2)
            cancelled = time.monotonic()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.wait_for(seen.wait(), 2)
            return gone["at"] - cancelled

    run = uvloop.run if loop == "uvloop" else asyncio.run
    assert run(scene()) < 1


def test_open__leaving_the_block_early__closes_the_upstream():
    with running() as upstream:

        async def scene():
            body = b'{"model": "fake:delay,chunks=500,pace_ms=20", "stream": true, "messages": []}'
            async with egress.open("POST", upstream.base_url + "/chat/completions", {}, body, trusted=True) as response:
                await response.next_chunk()
            await asyncio.to_thread(upstream.wait_for, lambda calls: calls[0]["disconnected"])
            await egress.close_pool()

        asyncio.run(scene())
        assert [call["finished"] for call in upstream.calls()] == [False]


async def hang(reader, writer, head):
    await asyncio.sleep(30)


async def stall(reader, writer, head):
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nab")
    await asyncio.sleep(30)


async def drip(reader, writer, head):
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
    for _ in range(1000):
        writer.write(b"x")
        await asyncio.sleep(0.02)


async def head_only(reader, writer, head):
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n")
    await asyncio.sleep(30)


@pytest.mark.parametrize(
    ("handler", "code", "status", "least", "most"),
    [
        (hang, "upstream_timeout", 504, 0.3, 0.8),
        (head_only, "upstream_timeout", 504, 0.3, 0.8),
        (stall, "upstream_stalled", 504, 0.3, 0.8),
        (drip, "upstream_timeout", 504, 1.0, 1.5),
    ],
)
def test_open__upstream_too_slow__times_out_by_kind(handler, code, status, least, most):
    async def scene():
        async with serving(handler) as (root, _):
            started = time.monotonic()
            with pytest.raises((egress.UpstreamTimeout, egress.UpstreamStalled)) as caught:
                await fetch(root, timeouts=egress.Timeouts(connect=1, first_byte=0.3, stall=0.3, total=1))
            return caught.value.code, caught.value.http_status, time.monotonic() - started

    seen = asyncio.run(scene())
    assert seen[:2] == (code, status)
    assert least <= seen[2] < most


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc", "before its answer was complete"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n", "before its answer was complete"),
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            "not HTTP",
        ),
        (b"SSH-2.0-OpenSSH\r\n", "not HTTP"),
        (
            b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
            "not HTTP|before its answer",
        ),
        (b"HTTP/1.1 200 OK\r\nx: " + b"y" * 70000, "headers are too large"),
        (b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\nok", "compressed"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 200\r\n\r\n" + b"x" * 200, "larger than 100 bytes"),
    ],
)
def test_open__answer_broken_or_too_large__is_an_error_never_a_short_body(raw, words):
    async def scene():
        async with serving(answering(raw, close=True)) as (root, _):
            with pytest.raises(egress.UpstreamBroken, match=words) as caught:
                await fetch(root, max_body=100)
            return caught.value.code

    assert asyncio.run(scene()) == "upstream_error"


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\n\r\nuntil close",
        b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\nuntil close",
        b"HTTP/1.0 200 OK\r\ncontent-length: 11\r\n\r\nuntil close",
    ],
)
def test_open__unusual_but_correct_framing__is_read_to_its_end(raw):
    async def scene():
        async with serving(answering(raw, close=True)) as (root, _):
            return await fetch(root)

    assert asyncio.run(scene()) == (200, b"until close")


def test_open__second_answer_nobody_asked_for__never_reaches_the_next_call():
    async def scene():
        async with serving(answering(OK + b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil")) as (root, seen):
            return [await fetch(root) for _ in range(3)], seen["connections"]

    assert asyncio.run(scene()) == ([(200, b"ok")] * 3, 3)


def test_open__kept_connection_closed_as_we_write__is_replaced_once():
    async def scene():
        turn = 0

        async def handler(reader, writer, head):
            nonlocal turn
            turn += 1
            if turn == 2:
                writer.transport.abort()  # reads the second request and drops the connection without a byte
            else:
                writer.write(OK)

        async with serving(handler) as (root, seen):
            return [await fetch(root) for _ in range(2)], seen

    assert asyncio.run(scene()) == ([(200, b"ok")] * 2, {"connections": 2, "requests": 3})


def test_open__fresh_connection_dropped_without_a_byte__is_not_repeated():
    async def scene():
        async def handler(reader, writer, head):
            writer.transport.abort()

        async with serving(handler) as (root, seen):
            with pytest.raises(egress.UpstreamBroken):
                await fetch(root)
            return seen["requests"]

    assert asyncio.run(scene()) == 1


def test_open__nobody_listens__is_unreachable():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with pytest.raises(egress.ConnectFailed) as caught:
            asyncio.run(fetch(f"http://127.0.0.1:{free.getsockname()[1]}/"))
    assert (caught.value.code, caught.value.http_status) == ("upstream_unreachable", 502)


def test_open__slow_reader_of_a_large_body__holds_the_upstream_back():
    async def scene():
        sent = 0

        async def handler(reader, writer, head):
            nonlocal sent
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 67108864\r\n\r\n")
            for _ in range(1024):
                writer.write(b"x" * 65536)
                sent += 65536
                await writer.drain()

        async with serving(handler) as (root, _):
            async with egress.open("GET", root, {}, trusted=True) as response:
                await response.next_chunk()
                await asyncio.sleep(0.3)
                held = sent
                total = 0
                while (data := await response.next_chunk()) is not None:
                    total += len(data)
            return held < 20_000_000, total > 60_000_000

    assert asyncio.run(scene()) == (True, True)
