"""The two threads that compute: one for queries, one for batches, which gives way to everything else.

A batch is computed in pieces of a few texts by a thread of the lowest priority, so a query never waits for one, and a
request of the product is not slowed by an import.
"""

from __future__ import annotations

import logging
import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.core.embedder.frames import Frame
from ikiro.embedder.model import Model

log = logging.getLogger("ikiro.embedder")
# Nobody waits for a query's answer for so long; what is older is thrown away, so that a stall is over at once.
STALE_S = 0.5
_NICE = 15

Reply = Callable[[Frame, bytes], None]


@dataclass(frozen=True, slots=True)
class Job:
    """Texts to compute, and who is told: from the lane's thread, once."""

    texts: list[str]
    reply: Reply
    since: float = field(default_factory=time.monotonic)


class Lane:
    """A thread with a bounded queue before it."""

    def __init__(self, name: str, model: Model, *, most: int, stale_s: float | None, nice: int = 0) -> None:
        self._model, self._stale_s, self._nice = model, stale_s, nice
        self._queue: queue.Queue[Job] = queue.Queue(most)
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def put(self, job: Job) -> bool:
        """Whether there was room for it."""
        try:
            self._queue.put_nowait(job)
        except queue.Full:
            return False
        return True

    def _run(self) -> None:
        if self._nice and sys.platform == "linux":  # elsewhere a thread has no priority of its own
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), self._nice)
        while True:
            job = self._queue.get()
            if self._stale_s is not None and time.monotonic() - job.since > self._stale_s:
                job.reply(Frame.BUSY, b"")
                continue
            try:
                made = self._model.embed(job.texts).tobytes()
            except Exception:
                log.exception("%d texts could not be embedded", len(job.texts))
                job.reply(Frame.REFUSED, b"The model failed.")
            else:
                job.reply(Frame.VECTORS, made)


class Lanes:
    """Both lanes of one model."""

    def __init__(self, model: Model) -> None:
        self._queries = Lane("queries", model, most=64, stale_s=STALE_S)
        self._batches = Lane("batches", model, most=16, stale_s=None, nice=_NICE)

    def start(self) -> None:
        self._queries.start()
        self._batches.start()

    def put(self, kind: Frame, job: Job) -> bool:
        """Queue a job; False when too many wait already."""
        return (self._queries if kind is Frame.QUERY else self._batches).put(job)
