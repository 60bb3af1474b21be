"""What differs between two cartridges: field by field, and in the prompt that they become. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from gateway.knowledge.personas.formats import canonical
from gateway.knowledge.personas.types import pointer
from gateway.platform.providers.messages_shape import estimated_tokens
from gateway.platform.providers.types import ModelRequest

# Longer lists are compared place by place: aligning them costs the square of their length.
_ALIGNED = 200


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field that differs. ``pointer`` is in the later document, or in the earlier one for what was removed."""

    op: Literal["add", "remove", "replace"]
    pointer: str
    before: Any = None
    after: Any = None


@dataclass(frozen=True, slots=True)
class PromptChange:
    """How the compiled prompt differs: lines of a unified diff without its two header lines, and about how many tokens
    each has."""

    lines: tuple[str, ...]
    tokens_before: int
    tokens_after: int

    @property
    def token_delta(self) -> int:
        return self.tokens_after - self.tokens_before


def fields(before: Any, after: Any) -> list[FieldChange]:
    """Every field that differs, in the order of the document's keys. Both must be nested no deeper than lint allows."""
    return list(_fields((), before, after))


def prompt(before: str, after: str) -> PromptChange:
    """How one compiled prompt becomes another."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=2)
    return PromptChange(tuple(lines)[2:], tokens(before), tokens(after))


def tokens(text: str) -> int:
    """About how many tokens a system prompt of this text has, as ``count_tokens`` estimates it for any model."""
    return estimated_tokens(ModelRequest("", ({"role": "system", "content": text},)))


def _fields(place: tuple[Any, ...], before: Any, after: Any) -> Iterator[FieldChange]:
    if isinstance(before, dict) and isinstance(after, dict):
        for name in (*before, *(name for name in after if name not in before)):
            below = (*place, name)
            if name not in after:
                yield FieldChange("remove", pointer(below), before=before[name])
            elif name not in before:
                yield FieldChange("add", pointer(below), after=after[name])
            else:
                yield from _fields(below, before[name], after[name])
    elif isinstance(before, list) and isinstance(after, list):
        yield from _items(place, before, after)
    elif canonical(before) != canonical(after):
        yield FieldChange("replace", pointer(place), before, after)


def _items(place: tuple[Any, ...], before: Sequence[Any], after: Sequence[Any]) -> Iterator[FieldChange]:
    for was, will in _aligned(before, after):
        if was is None and will is not None:
            yield FieldChange("add", pointer((*place, will)), after=after[will])
        elif will is None and was is not None:
            yield FieldChange("remove", pointer((*place, was)), before=before[was])
        elif was is not None and will is not None:
            yield from _fields((*place, will), before[was], after[will])


def _aligned(before: Sequence[Any], after: Sequence[Any]) -> Iterator[tuple[int | None, int | None]]:
    """Places that belong together; None where one side has nothing."""
    if max(len(before), len(after)) > _ALIGNED:
        blocks = [("replace", 0, len(before), 0, len(after))]
    else:
        left, right = [canonical(item) for item in before], [canonical(item) for item in after]
        blocks = [*difflib.SequenceMatcher(None, left, right, autojunk=False).get_opcodes()]
    for kind, begin, end, into, until in blocks:
        if kind == "equal":
            continue
        for step in range(max(end - begin, until - into)):
            was, will = begin + step, into + step
            yield (was if was < end else None, will if will < until else None)
