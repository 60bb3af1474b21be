"""A small HTTP/1.1 load generator: keep-alive connections, each sends the next request when its answer is complete.

Run as a process of its own (``python -m tests.bench.load``), so that its CPU is not the server's; prints one JSON
object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from urllib.parse import urlsplit


class Connection(asyncio.Protocol):
    """One connection. Understands answers with a content length and chunked ones."""

    def __init__(self, run: Run) -> None:
        self.run, self.buffer, self.sent_at = run, b"", 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.next()

    def next(self) -> None:
        if not self.run.take():
            self.transport.close()
            return
        wait = self.run.pause()
        if wait > 0:
            asyncio.get_running_loop().call_later(wait, self.send)
        else:
            self.send()

    def send(self) -> None:
        self.buffer, self.sent_at = b"", time.perf_counter()
        self.transport.write(self.run.message)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, blank, body = self.buffer.partition(b"\r\n\r\n")
        if not blank:
            return
        lower = head.lower()
        if b"transfer-encoding: chunked" in lower:
            complete = body.endswith(b"0\r\n\r\n")
        else:
            length = int(lower.split(b"content-length:")[1].split(b"\r\n")[0])
            complete = len(body) >= length
        if complete:
            ok = head.split(b" ", 2)[1] == b"200"
            self.run.done(time.perf_counter() - self.sent_at, ok=ok, answer=body)
            self.next()

    def connection_lost(self, error: Exception | None) -> None:
        self.run.closed()


class Run:
    """``rate`` is how many requests a second are sent at most; 0: as many as are answered."""

    def __init__(self, message: bytes, requests: int, connections: int, rate: float = 0.0) -> None:
        self.message, self.left, self.open = message, requests, connections
        self.rate, self.taken, self.began = rate, 0, time.perf_counter()
        self.times: list[float] = []
        self.errors: list[str] = []
        self.finished = asyncio.Event()

    def take(self) -> bool:
        self.left -= 1
        self.taken += 1
        return self.left >= 0

    def pause(self) -> float:
        """Seconds until the request just taken may be sent."""
        return self.began + self.taken / self.rate - time.perf_counter() if self.rate else 0.0

    def done(self, seconds: float, *, ok: bool, answer: bytes) -> None:
        self.times.append(seconds)
        if not ok:
            self.errors.append(answer[:200].decode(errors="replace"))

    def closed(self) -> None:
        self.open -= 1
        if not self.open:
            self.finished.set()


async def main(
    url: str, body: bytes, headers: dict[str, str], requests: int, connections: int, *, rate: float = 0.0
) -> dict[str, object]:
    parts = urlsplit(url)
    lines = [
        f"POST {parts.path} HTTP/1.1",
        f"host: {parts.netloc}",
        f"content-length: {len(body)}",
        "content-type: application/json",
    ]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    run = Run("\r\n".join(lines).encode() + b"\r\n\r\n" + body, requests, connections, rate)
    started = time.perf_counter()
    loop = asyncio.get_running_loop()
    for _ in range(connections):
        await loop.create_connection(lambda: Connection(run), parts.hostname, parts.port)
    await run.finished.wait()
    took = time.perf_counter() - started
    times = sorted(run.times)
    return {
        "requests": len(times),
        "errors": len(run.errors),
        "first_error": run.errors[0] if run.errors else None,
        "rps": round(len(times) / took, 1),
        "p50_ms": round(times[len(times) // 2] * 1000, 3),
        "p99_ms": round(times[int(len(times) * 0.99)] * 1000, 3),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--body", default="{}")
    parser.add_argument("--headers", default="{}")
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--rate", type=float, default=0.0)
    options = parser.parse_args()
    import uvloop

    print(
        json.dumps(
            uvloop.run(
                main(
                    options.url,
                    options.body.encode(),
                    json.loads(options.headers),
                    options.requests,
                    options.connections,
                    rate=options.rate,
                )
            )
        )
    )
