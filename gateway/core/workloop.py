"""One event loop of a worker's process, for threads that have work of the asynchronous parts to do: a call to a model,
a question to the embedder. Whatever runs there shares connections and pools as the requests of a web process do.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None


def wait_for(work: Coroutine[Any, Any, T]) -> T:
    """Run ``work`` on the loop and wait for it in the calling thread, which is not itself one of an event loop.
    ``work`` has deadlines of its own."""
    return asyncio.run_coroutine_threadsafe(work, _running()).result()


def _running() -> asyncio.AbstractEventLoop:
    global _loop
    with _lock:
        if _loop is None:
            _loop = asyncio.new_event_loop()
            threading.Thread(target=_loop.run_forever, name="work-loop", daemon=True).start()
        return _loop
