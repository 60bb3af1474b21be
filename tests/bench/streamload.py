"""Reads many streams side by side and counts their frames; a process of its own, prints one JSON object.

Every stream must bring as many data frames as the provider sends (``X-Frames`` in ``apps``), in order, and end with
``[DONE]``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from urllib.parse import urlsplit

from tests.bench.apps import FRAMES


class Tally:
    def __init__(self) -> None:
        self.frames = 0
        self.first: list[float] = []
        self.errors: list[str] = []


async def read_one(url: str, message: bytes, tally: Tally) -> None:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        started = time.perf_counter()
        writer.write(message)
        head = await reader.readuntil(b"\r\n\r\n")
        if head.split(b" ", 2)[1] != b"200":
            tally.errors.append(head[:200].decode(errors="replace"))
            return
        numbers, done, waited = [], False, b""
        while not done:
            piece = await asyncio.wait_for(reader.read(65536), 60)
            if not piece:
                break
            waited += piece
            *lines, waited = waited.split(b"\n")
            for line in lines:
                if line.startswith(b"data: [DONE]"):
                    done = True
                elif line.startswith(b"data: {"):
                    if not numbers:
                        tally.first.append(time.perf_counter() - started)
                    text = json.loads(line[6:])["choices"]
                    if text and text[0]["delta"].get("content"):
                        numbers.append(int(text[0]["delta"]["content"]))
        tally.frames += len(numbers)
        if not done or numbers != list(range(FRAMES)):
            tally.errors.append(f"{len(numbers)} of {FRAMES} frames, end {done}")
    finally:
        writer.close()


async def main(url: str, body: bytes, headers: dict[str, str], at_once: int, rounds: int) -> dict[str, object]:
    parts = urlsplit(url)
    lines = [f"POST {parts.path} HTTP/1.1", f"host: {parts.netloc}", f"content-length: {len(body)}"]
    lines += ["content-type: application/json", *(f"{name}: {value}" for name, value in headers.items())]
    message = "\r\n".join(lines).encode() + b"\r\n\r\n" + body
    tally = Tally()
    for _ in range(rounds):
        await asyncio.gather(*(read_one(url, message, tally) for _ in range(at_once)))
    first = sorted(tally.first) or [0.0]
    return {
        "streams": at_once * rounds,
        "frames": tally.frames,
        "errors": len(tally.errors),
        "first_error": tally.errors[0] if tally.errors else None,
        "first_p50_ms": round(first[len(first) // 2] * 1000, 3),
        "first_p99_ms": round(first[int(len(first) * 0.99)] * 1000, 3),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--body", default="{}")
    parser.add_argument("--headers", default="{}")
    parser.add_argument("--at-once", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=1)
    given = parser.parse_args()
    import uvloop

    print(
        json.dumps(
            uvloop.run(main(given.url, given.body.encode(), json.loads(given.headers), given.at_once, given.rounds))
        )
    )
