"""Tool calls as servers really send them: without an index, without an id, or all under index 0."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field


@dataclass(slots=True)
class CallNumbers:
    """Which call of one answer a fragment belongs to."""

    _ids: dict[int, str] = field(default_factory=dict)
    _meant: dict[int, int] = field(default_factory=dict)
    _current: int = -1

    def place(self, index: int | None, call_id: str | None, name: str | None) -> tuple[int, str | None]:
        """(the call's index, the id to show with this fragment: the given one, or a new one for a call without)."""
        begins = self._begins(index, call_id, name)
        if begins:
            self._current = len(self._ids) if index is None or index in self._ids else index
            while self._current in self._ids:
                self._current += 1
            self._ids[self._current] = call_id or f"call_{secrets.token_hex(12)}"
            if index is not None:
                self._meant[index] = self._current
            return self._current, self._ids[self._current]
        if index is not None:
            self._current = self._meant[index]
        return self._current, call_id

    def _begins(self, index: int | None, call_id: str | None, name: str | None) -> bool:
        known = self._current if index is None else self._meant.get(index, -1)
        if known < 0:
            return True
        if call_id:
            # Some servers repeat the id with every fragment; another one is another call.
            return bool(name) and call_id != self._ids[known]
        return index is None and bool(name)
