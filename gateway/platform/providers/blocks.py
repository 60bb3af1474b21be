"""Deltas as blocks, one after the other: thinking, text, a refusal, a tool call.

Anthropic's and the Responses dialect know no two blocks open at once, while deltas may belong to several calls by
turns. A call is left only when its arguments are whole; what comes for another one meanwhile is held back.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

import msgspec

from gateway.platform.providers.types import ModelDelta


class Kind(StrEnum):
    THINKING = "thinking"
    TEXT = "text"
    REFUSAL = "refusal"
    CALL = "call"


Slot = tuple[Kind, int]


@dataclass(slots=True)
class Block:
    """One block. ``at`` is its place in the answer, known once it has begun; ``text`` what it holds so far."""

    kind: Kind
    at: int = -1
    text: str = ""
    call_id: str = ""
    name: str = ""

    @property
    def complete(self) -> bool:
        """Whether it may be left. A tool call's arguments are a JSON text and end with it."""
        if self.kind is not Kind.CALL:
            return True
        try:
            msgspec.json.decode(self.text)
        except msgspec.DecodeError:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Step:
    """What happens to a block: it begins, grows by ``text``, or ends."""

    event: Literal["begin", "grow", "end"]
    block: Block
    text: str = ""


class Blocks:
    """Feed it the deltas of one answer, then ``finish``. ``made`` are the blocks that have begun, in order."""

    def __init__(self) -> None:
        self.made: list[Block] = []
        self._slots: dict[int, Slot] = {}
        self._open: Slot | None = None
        self._held: dict[Slot, Block] = {}

    def feed(self, delta: ModelDelta) -> Iterator[Step]:
        """The steps that one delta lets out."""
        if delta.thinking:
            yield from self._take((Kind.THINKING, 0), delta.thinking)
        if delta.content:
            yield from self._take((Kind.REFUSAL if delta.refusal else Kind.TEXT, 0), delta.content)
        for call in delta.tool_calls:
            yield from self._take((Kind.CALL, call.index), call.arguments, call.id or "", call.name or "")

    def finish(self) -> Iterator[Step]:
        """End what is open, and let out what was held back."""
        yield from self._close()
        for slot in list(self._held):
            yield from self._begin(slot, self._held.pop(slot))
            yield from self._close()

    def _take(self, slot: Slot, text: str, call_id: str = "", name: str = "") -> Iterator[Step]:
        if slot == self._open:
            block = self.made[-1]
            block.text += text
            if text:
                yield Step("grow", block, text)
            return
        if slot[0] is Kind.CALL and any(self._slots[block.at] == slot for block in self.made):
            return  # blanks after arguments that were whole
        block = self._held.setdefault(slot, Block(slot[0]))
        block.text += text
        block.call_id, block.name = block.call_id or call_id, block.name or name
        if self._open is not None and not self.made[-1].complete:
            return
        yield from self._close()
        for held in [one for one, waiting in self._held.items() if one != slot and waiting.complete]:
            yield from self._begin(held, self._held.pop(held))
            yield from self._close()
        yield from self._begin(slot, self._held.pop(slot))

    def _begin(self, slot: Slot, block: Block) -> Iterator[Step]:
        block.at = len(self.made)
        self.made.append(block)
        self._slots[block.at] = self._open = slot
        yield Step("begin", block)
        if block.text:
            yield Step("grow", block, block.text)

    def _close(self) -> Iterator[Step]:
        if self._open is not None:
            self._open = None
            yield Step("end", self.made[-1])
