"""Takes our write tools' calls out of a model's answer while it streams.

Feed every delta; what comes back is what the caller may see: text at once, the caller's own tool calls numbered from 0.
After ``finish`` the writes that the model proposed are known. Fragments may be split anywhere and parallel calls
interleaved; a call is held back only until its first argument, when its name is complete.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from gateway.engine.chat.proposed import ProposedWrite, RejectedWrite, read_call
from gateway.engine.chat.write_tools import OWN_NAMES
from gateway.platform.providers.types import ModelDelta, TokenUsage, ToolCallDelta

_MAX_ARGUMENTS = 64 * 1024
_MAX_WRITES = 20


@dataclass(frozen=True, slots=True)
class Visible:
    """What the caller may see of one delta; ``tool_calls`` are fragments in OpenAI's delta shape."""

    content: str | None = None
    tool_calls: tuple[dict[str, Any], ...] = ()


@dataclass(slots=True)
class _Call:
    """One call as it grows. ``ours`` is None while undecided; ``shown_as`` is the number the caller knows it by."""

    id: str | None = None
    name: str = ""
    arguments: list[str] = field(default_factory=list)
    size: int = 0
    ours: bool | None = None
    shown_as: int = -1


class Extraction:
    """The state of one answer. Not shared, not thread-safe."""

    def __init__(self) -> None:
        self.writes: tuple[ProposedWrite, ...] = ()
        self.rejected: tuple[RejectedWrite, ...] = ()
        self.usage: TokenUsage | None = None
        self._finish_reason = "stop"
        self._calls: list[_Call] = []
        self._at: dict[int, _Call] = {}
        self._shown: list[_Call] = []

    def feed(self, delta: ModelDelta) -> Visible:
        """Take one delta in; what of it (and of what was held back) the caller may see now."""
        self._finish_reason = delta.finish_reason or self._finish_reason
        self.usage = delta.usage or self.usage
        shown = [part for fragment in delta.tool_calls if (part := self._take(fragment)) is not None]
        if delta.finish_reason:
            shown += self._decide_rest()
        return Visible(delta.content or None, tuple(shown))

    def finish(self) -> tuple[dict[str, Any], ...]:
        """Close the answer, once, after the last delta; then ``writes`` and ``rejected`` are known.

        Gives the fragments still owed to the caller: none, unless the model gave no ``finish_reason``.
        """
        late = self._decide_rest()
        self._read_writes()
        return tuple(late)

    @property
    def tool_calls(self) -> tuple[dict[str, Any], ...]:
        """The caller's own calls, whole, in OpenAI's message shape."""
        return tuple(
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": "".join(call.arguments)}}
            for call in self._shown
        )

    @property
    def finish_reason(self) -> str:
        """The model's, except that calls of ours alone are no reason to stop for the caller."""
        return "stop" if self._finish_reason == "tool_calls" and not self._shown else self._finish_reason

    def _take(self, fragment: ToolCallDelta) -> dict[str, Any] | None:
        call = self._call_of(fragment)
        call.id = call.id or fragment.id
        undecided = call.ours is None
        if undecided and fragment.name and fragment.name != call.name:  # some servers repeat the whole name
            call.name += fragment.name
        if fragment.arguments and (call.ours is False or call.size <= _MAX_ARGUMENTS):
            call.arguments.append(fragment.arguments)
            call.size += len(fragment.arguments)
        if undecided:
            if not (call.name and call.size):
                return None
            call.ours = call.name in OWN_NAMES  # arguments follow a complete name
            return None if call.ours else self._show_whole(call)
        if call.ours or not fragment.arguments:
            return None
        return {"index": call.shown_as, "function": {"arguments": fragment.arguments}}

    def _decide_rest(self) -> list[dict[str, Any]]:
        """The calls that never had an argument: ours by name or namelessness, else the caller's and shown now."""
        late = []
        for call in self._calls:
            if call.ours is None:
                call.ours = call.name in OWN_NAMES or not call.name
                if not call.ours:
                    late.append(self._show_whole(call))
        return late

    def _call_of(self, fragment: ToolCallDelta) -> _Call:
        known = self._at.get(fragment.index)
        # Some servers number every parallel call 0 and tell them apart by a new id with a name.
        another = known is not None and fragment.id and known.id and fragment.id != known.id and fragment.name
        if known is None or another:
            known = self._at[fragment.index] = _Call()
            self._calls.append(known)
        return known

    def _show_whole(self, call: _Call) -> dict[str, Any]:
        call.shown_as = len(self._shown)
        self._shown.append(call)
        function = {"name": call.name, "arguments": "".join(call.arguments)}
        return {"index": call.shown_as, "id": call.id, "type": "function", "function": function}

    def _read_writes(self) -> None:
        writes: list[ProposedWrite] = []
        rejected: list[RejectedWrite] = []
        ids: set[str] = set()
        for call in self._calls:
            if not call.ours:
                continue
            reason = _refused(call, ids, len(writes))
            read = read_call(call.name, call.id, "".join(call.arguments)) if reason is None else None
            if isinstance(read, ProposedWrite):
                writes.append(read)
            else:
                rejected.append(read or RejectedWrite(call.name, call.id, reason or ""))
        self.writes, self.rejected = tuple(writes), tuple(rejected)


def _refused(call: _Call, ids: set[str], taken: int) -> str | None:
    if not call.name:
        return "nameless"
    if call.id is not None and call.id in ids:
        return "duplicate_id"
    ids.add(call.id or "")
    if call.size > _MAX_ARGUMENTS:
        return "too_large"
    return "too_many" if taken >= _MAX_WRITES else None
