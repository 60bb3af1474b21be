"""A provider for money tests: counts its calls, minds no ``max_tokens``, and says it used anything up to the ceiling.

The ceiling is what the gateway may hold for a call: every byte of the body a prompt token, ``max_tokens`` of answer.
Run as a process of its own (``python -m tests.proof.provider --port N``); ``GET /calls`` tells how many came.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, calls: list[int]) -> None:
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            if head.startswith(b"GET"):
                await _answer(writer, {"calls": len(calls)})
                continue
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            body = await reader.readexactly(length)
            calls.append(1)
            asked = json.loads(body)
            most = asked.get("max_tokens") or asked["max_completion_tokens"]
            await asyncio.sleep(random.uniform(0.02, 0.3))
            used = random.choice([most, most, random.randint(1, most)])
            message = {"role": "assistant", "content": "word " * 3 * min(most, 200)}
            usage = {"prompt_tokens": random.randint(1, length), "completion_tokens": used}
            await _answer(
                writer,
                {
                    "id": "chatcmpl-proof", "object": "chat.completion", "created": 1, "model": asked["model"],
                    "choices": [{"index": 0, "message": message, "finish_reason": "length"}],
                    "usage": {**usage, "total_tokens": sum(usage.values())},
                },
            )  # fmt: skip
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def _answer(writer: asyncio.StreamWriter, value: object) -> None:
    body = json.dumps(value).encode()
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
    await writer.drain()


async def main(port: int) -> None:
    calls: list[int] = []
    server = await asyncio.start_server(lambda reader, writer: serve(reader, writer, calls), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    asyncio.run(main(parser.parse_args().port))
