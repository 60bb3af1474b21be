"""What the gateway is compared with: an application that answers a constant, a provider that costs next to nothing.

``tests.bench.apps:constant`` is an application, the floor under uvicorn. The module run by itself (``--port N``) is
the provider: every request gets the same completion in one packet, so that what is measured is not its own work.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from typing import Any

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


class Provider(asyncio.Protocol):
    """Answers when a request is complete; knows content lengths only, as the gateway sends them."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport, self.buffer = transport, b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, blank, body = self.buffer.partition(b"\r\n\r\n")
        if blank and len(body) >= int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0]):
            self.buffer = b""
            self.transport.write(_ANSWER)


async def provide(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Provider, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    import uvloop

    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    uvloop.run(provide(parser.parse_args().port))
