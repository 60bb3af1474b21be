"""Recent recalls of this process: bounded in number and in characters, 300 seconds at most, checked against the
subject's version.

The cache decides nothing: whoever reads an entry compares its version with the database's first (``recall``), so
that a forgotten memory is never served from here.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from threading import Lock

from gateway.knowledge.memory.types import RecalledMemory

TTL_S = 300.0
MAX_ENTRIES = 2_048
MAX_CHARACTERS = 8_000_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One answer, the version of the subject's memories it was read at, and its size in characters."""

    memories: tuple[RecalledMemory, ...]
    version: int
    stored_at: float
    weight: int


class RecallCache:
    """A least-recently-used map. All methods may be called from any thread."""

    def __init__(self, *, entries: int = MAX_ENTRIES, characters: int = MAX_CHARACTERS, ttl_s: float = TTL_S) -> None:
        self._max_entries, self._max_characters, self._ttl_s = entries, characters, ttl_s
        self._entries: OrderedDict[Hashable, Entry] = OrderedDict()
        self._characters = 0
        self._lock = Lock()

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

    def put(self, key: Hashable, memories: tuple[RecalledMemory, ...], version: int) -> None:
        """Keep an answer; the least recently used make room. One that is larger than a tenth of the cache is not
        kept."""
        weight = 200 + sum(len(memory.text) + len(memory.provenance.snippet or "") for memory in memories)
        if weight > self._max_characters // 10:
            return
        with self._lock:
            self._drop(key)
            self._entries[key] = Entry(memories, version, time.monotonic(), weight)
            self._characters += weight
            while len(self._entries) > self._max_entries or self._characters > self._max_characters:
                self._drop(next(iter(self._entries)))

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()
            self._characters = 0

    def _drop(self, key: Hashable) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._characters -= entry.weight
