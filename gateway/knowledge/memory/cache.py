"""Recent recalls of this process: bounded in number and in characters, 300 seconds at most, checked against the
versions of what was searched.

The cache decides nothing: whoever reads an entry compares its versions with the database's first (``recall``), so
that a forgotten memory is never served from here.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock

from gateway.knowledge.memory.types import RecalledMemory

TTL_S = 300.0
MAX_ENTRIES = 2_048
MAX_CHARACTERS = 8_000_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One answer: its memories, the versions (of the subject's memories, of the organization's knowledge if it was
    searched) they were read at, and whose model's meanings were compared (None: none). ``partial``: some memories had
    no embedding yet; they get one without a new version. ``until``: from then on something else is true."""

    memories: tuple[RecalledMemory, ...]
    versions: tuple[int, int | None]
    nothing_found: bool
    model_id: str | None
    partial: bool = False
    until: datetime | None = None
    stored_at: float = field(default_factory=time.monotonic)

    @property
    def weight(self) -> int:
        """Its size in characters, about."""
        return 200 + sum(len(memory.text) + len(memory.provenance.snippet or "") for memory in self.memories)


class RecallCache:
    """A least-recently-used map. All methods may be called from any thread."""

    def __init__(self, *, entries: int = MAX_ENTRIES, characters: int = MAX_CHARACTERS, ttl_s: float = TTL_S) -> None:
        self._max_entries, self._max_characters, self._ttl_s = entries, characters, ttl_s
        self._entries: OrderedDict[Hashable, Entry] = OrderedDict()
        self._characters = 0
        self._lock = Lock()
        self._flights: dict[Hashable, tuple[Lock, int]] = {}

    def get(self, key: Hashable, ttl_s: float | None = None) -> Entry | None:
        """The entry of this key, if it is younger than the time to live (default: the cache's own)."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return None
            if time.monotonic() - entry.stored_at > (self._ttl_s if ttl_s is None else ttl_s):
                self._drop(key)
                return None
            self._entries.move_to_end(key)
            return entry

    def put(self, key: Hashable, entry: Entry) -> None:
        """Keep an answer; the least recently used make room. One that is larger than a tenth of the cache is not
        kept."""
        if entry.weight > self._max_characters // 10:
            return
        with self._lock:
            self._drop(key)
            self._entries[key] = entry
            self._characters += entry.weight
            while len(self._entries) > self._max_entries or self._characters > self._max_characters:
                self._drop(next(iter(self._entries)))

    @contextmanager
    def flight(self, key: Hashable, wait_s: float) -> Iterator[bool]:
        """Held while one thread finds the answer; others that want the same wait, at most ``wait_s`` seconds. Tells
        whether there was somebody to wait for, so that it is worth looking again."""
        with self._lock:
            turn, users = self._flights.get(key, (Lock(), 0))
            self._flights[key] = (turn, users + 1)
        first = turn.acquire(blocking=False)
        held = first or turn.acquire(timeout=wait_s)
        try:
            yield not first
        finally:
            if held:
                turn.release()
            with self._lock:
                _, users = self._flights[key]
                if users == 1:
                    del self._flights[key]
                else:
                    self._flights[key] = (turn, users - 1)

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()
            self._characters = 0

    def _drop(self, key: Hashable) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._characters -= entry.weight
