"""An answer's head and body leave in one packet, in order, whatever the application does."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import uvicorn

from ikiro.protocol import Joined, Protocol
from tests.harness import free_port


class Sink:
    """A transport that notes what it is told."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        assert not self.closed
        self.sent.append(data)

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


def test_write__of_one_turn__is_one_packet_and_a_large_one_does_not_wait() -> None:
    async def scene() -> tuple[list[bytes], list[bytes], bool]:
        sink = Sink()
        joined = Joined(sink, asyncio.get_running_loop())  # type: ignore[arg-type]
        joined.write(b"head")
        joined.write(b"")
        joined.write(b"body")
        assert sink.sent == []
        await asyncio.sleep(0)
        first, sink.sent = sink.sent, []
        joined.write(b"x" * 40_000)
        assert len(sink.sent) == 1
        joined.write(b"last")
        joined.close()
        await asyncio.sleep(0)
        return first, [sent[-4:] for sent in sink.sent], joined.is_closing()

    assert asyncio.run(scene()) == ([b"headbody"], [b"xxxx", b"last"], True)


async def _application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    pieces = int(scope["query_string"])
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-pieces", scope["query_string"])]})
    for number in range(pieces):
        await send({"type": "http.response.body", "body": b"%d;" % number * 1000, "more_body": True})
        if number % 3 == 0:
            await asyncio.sleep(0)
    await send({"type": "http.response.body", "body": b"end"})


@pytest.mark.parametrize("pieces", [0, 1, 50])
def test_server__answers_in_pieces__arrive_whole_and_in_order_on_one_connection(pieces: int) -> None:
    async def scene() -> list[bytes]:
        port = free_port()
        config = uvicorn.Config(_application, port=port, http=Protocol, lifespan="off", log_config=None)
        server = uvicorn.Server(config)
        running = asyncio.create_task(server._serve())
        while not server.started:
            await asyncio.sleep(0.01)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        bodies = []
        for _ in range(3):
            writer.write(b"GET /?%d HTTP/1.1\r\nhost: x\r\n\r\n" % pieces)
            assert b"x-pieces: %d" % pieces in await reader.readuntil(b"\r\n\r\n")
            body = b""
            while size := int(await reader.readline(), 16):
                body += (await reader.readexactly(size + 2))[:-2]
            await reader.readline()
            bodies.append(body)
        writer.close()
        server.should_exit = True
        await running
        return bodies

    wanted = b"".join(b"%d;" % number * 1000 for number in range(pieces)) + b"end"
    assert asyncio.run(scene()) == [wanted] * 3
