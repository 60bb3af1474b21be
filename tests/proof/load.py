"""Callers that go on all the time while a test breaks something, and what each of them was told, when, how fast."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import httpx

BODY = {"model": "openai/gpt-4o", "messages": [{"role": "user", "content": "Say a word."}], "max_tokens": 200}
_LONGEST_S = 60.0


@dataclass(frozen=True, slots=True)
class Caller:
    """One key of one organization; ``ports`` are asked in turn, ``pause_s`` after each answer."""

    name: str
    secret: str = field(repr=False)
    ports: Sequence[int]
    pause_s: float = 0.1


@dataclass(frozen=True, slots=True)
class Answer:
    """What a caller was told. ``at`` is when they asked (``time.monotonic``); ``status`` 0: nothing, ``code`` is the
    error's name then."""

    who: str
    at: float
    took_s: float
    status: int
    code: str = ""
    request_id: str = ""
    retry_after: str = ""


class Load:
    """A context: the callers call from its beginning to its end, in a thread of their own; ``answers`` grows."""

    def __init__(self, callers: Iterable[Caller]) -> None:
        self.answers: list[Answer] = []
        self._callers = list(callers)
        self._over = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="load", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(_LONGEST_S + 10)
        assert not self._thread.is_alive(), "a caller still waits for its answer"

    def between(self, start: float, end: float, who: str = "") -> list[Answer]:
        """The answers to what was asked then, by everybody or by callers whose name begins so."""
        return [one for one in list(self.answers) if start <= one.at < end and one.who.startswith(who)]

    async def _run(self) -> None:
        async with httpx.AsyncClient(timeout=_LONGEST_S, limits=httpx.Limits(max_connections=None)) as client:
            await asyncio.gather(*(self._call(client, caller) for caller in self._callers))

    async def _call(self, client: httpx.AsyncClient, caller: Caller) -> None:
        turn = 0
        while not self._over.is_set():
            port = caller.ports[turn % len(caller.ports)]
            turn += 1
            self.answers.append(await _ask(client, port, caller))
            await asyncio.sleep(caller.pause_s)


async def _ask(client: httpx.AsyncClient, port: int, caller: Caller) -> Answer:
    headers = {"authorization": f"Bearer {caller.secret}"}
    asked = time.monotonic()
    try:
        answer = await client.post(f"http://127.0.0.1:{port}/v1/chat/completions", json=BODY, headers=headers)
    except httpx.HTTPError as error:
        return Answer(caller.name, asked, time.monotonic() - asked, 0, type(error).__name__)
    took = time.monotonic() - asked
    told: Any = answer.json()
    return Answer(
        caller.name, asked, took, answer.status_code, (told.get("error") or {}).get("code", ""),
        answer.headers["x-request-id"], answer.headers.get("retry-after", ""),
    )  # fmt: skip


def figures(answers: Sequence[Answer]) -> str:
    """How many there were of each status, and how long they took (ms)."""
    if not answers:
        return "none"
    statuses = sorted({one.status for one in answers})
    took = sorted(one.took_s * 1000 for one in answers)
    counts = ", ".join(f"{status}: {sum(one.status == status for one in answers)}" for status in statuses)
    middle, late = took[len(took) // 2], took[min(len(took) - 1, len(took) * 99 // 100)]
    return f"{counts}; p50 {middle:.0f} ms, p99 {late:.0f} ms, longest {took[-1]:.0f} ms"
