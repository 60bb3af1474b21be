"""What the gateway is compared with: an application that answers a constant, a proxy that only hands on, a provider
that costs next to nothing.

``tests.bench.apps:constant`` is the floor under uvicorn, ``tests.bench.apps:plain_proxy`` the least that a proxy does.
The module run by itself (``--port N``) is the provider: every request gets the same completion in one packet, or, with
``"stream": true``, ``FRAMES`` numbered frames paced ``PACE_S`` apart (with ``"thinks": true`` the first one after
``THINKS_S``), so that what is measured is not its own work.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from typing import Any

FRAMES, PACE_S, THINKS_S = 40, 0.05, 0.1
_COMPLETION = json.dumps(
    {
        "id": "chatcmpl-bench",
        "object": "chat.completion",
        "created": 1,
        "model": "bench",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": "word " * 120}, "finish_reason": "stop"},
        ],
        "usage": {"prompt_tokens": 60, "completion_tokens": 120, "total_tokens": 180},
    }
).encode()
_ANSWER = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(_COMPLETION)
) + _COMPLETION
_STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def _frame(delta: dict[str, Any], finish: str | None = None, **more: Any) -> bytes:
    choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
    event = {"id": "chatcmpl-bench", "object": "chat.completion.chunk", "created": 1, "model": "bench"}
    return b"data: %s\n\n" % json.dumps({**event, "choices": choices, **more}).encode()


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


_FRAMES = [_chunk(_frame({"content": str(number)})) for number in range(FRAMES)]
_USAGE = {"prompt_tokens": 60, "completion_tokens": FRAMES, "total_tokens": 60 + FRAMES}
_END = _chunk(_frame({}, "stop", usage=_USAGE)) + _chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"


async def constant(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """The floor: uvicorn, and nothing behind it."""
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        continue
    body = b'{"ok":true}'
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def plain_proxy(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """A proxy without a key, a limit or a ledger: the bytes go to ``BENCH_UPSTREAM`` and come back as they are, over a
    connection of their own."""
    if scope["type"] != "http":
        return
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    host, port = os.environ["BENCH_UPSTREAM"].split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        head = await reader.readuntil(b"\r\n\r\n")
        chunked = b"chunked" in head
        kind = b"text/event-stream" if chunked else b"application/json"
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
        while chunked:
            size = int(await reader.readline(), 16)
            piece = (await reader.readexactly(size + 2))[:-2]
            if not size:
                break
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        else:
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            await send({"type": "http.response.body", "body": await reader.readexactly(length), "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    finally:
        writer.close()


class Provider(asyncio.Protocol):
    """Answers when a request is complete; knows content lengths only, as gateways send them."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport, self.buffer = transport, b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, blank, body = self.buffer.partition(b"\r\n\r\n")
        if not blank:
            return
        lower = head.lower()
        if b"content-length:" in lower:
            if len(body) < int(lower.split(b"content-length:")[1].split(b"\r\n")[0]):
                return
        elif b"transfer-encoding: chunked" in lower and not body.endswith(b"0\r\n\r\n"):
            return
        self.buffer = b""
        if b'"stream":true' in body.replace(b" ", b""):
            asyncio.get_running_loop().call_later(THINKS_S if b'"thinks"' in body else 0, self._begin)
        else:
            self.transport.write(_ANSWER)

    def _begin(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(_STREAM_HEAD + _FRAMES[0])
            asyncio.get_running_loop().call_later(PACE_S, self._go_on, 1)

    def _go_on(self, number: int) -> None:
        if self.transport.is_closing():
            return
        if number == FRAMES:
            self.transport.write(_END)
            return
        self.transport.write(_FRAMES[number])
        asyncio.get_running_loop().call_later(PACE_S, self._go_on, number + 1)


async def provide(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Provider, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    import uvloop

    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    uvloop.run(provide(parser.parse_args().port))
