"""A stream of events put back together, whatever dialect it was in: for each place in the events, its text as a
whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

# Fields whose text a dialect sends in pieces.
_PIECES = frozenset(
    {"content", "text", "delta", "arguments", "partial_json", "thinking", "reasoning", "reasoning_content", "refusal",
     "input", "signature", "transcript"}
)  # fmt: skip
# What tells two streams of pieces in one answer apart.
_NUMBERS = ("index", "output_index", "content_index", "item_id")
_decode = msgspec.json.Decoder().decode


def assembled(text: str) -> dict[str, Any]:
    """``{"stream": true, "events": how many, "text": {place: text}, "last": the last event's data}``."""
    texts: dict[str, list[str]] = {}
    last: Any = None
    count = 0
    for event in _events(text):
        count += 1
        last = event
        for place, piece in _pieces(event, _numbered(event)):
            texts.setdefault(place, []).append(piece)
    return {
        "stream": True,
        "events": count,
        "text": {place: "".join(pieces) for place, pieces in texts.items()},
        "last": _without_pieces(last),
    }


def _events(text: str) -> Iterator[Any]:
    for block in text.replace("\r\n", "\n").split("\n\n"):
        data = "\n".join(line[5:].removeprefix(" ") for line in block.split("\n") if line.startswith("data:"))
        if data and data != "[DONE]":
            try:
                yield _decode(data.encode())
            except (msgspec.DecodeError, RecursionError):
                yield {"content": data}


def _numbered(event: Any) -> str:
    if not isinstance(event, dict):
        return ""
    return "".join(f"{name}={event[name]}." for name in _NUMBERS if name in event)


def _pieces(value: Any, place: str) -> Iterator[tuple[str, str]]:
    """Each text that may be a piece, with where it stands. A list's items are told apart by their own index."""
    if isinstance(value, dict):
        for key, item in value.items():
            if isinstance(item, str):
                if key in _PIECES:
                    yield f"{place}{key}", item
            else:
                yield from _pieces(item, f"{place}{key}.")
    elif isinstance(value, list):
        for number, item in enumerate(value):
            index = item.get("index", number) if isinstance(item, dict) else number
            yield from _pieces(item, f"{place}{index}.")


def _without_pieces(event: Any) -> Any:
    """The last event without the pieces that stand in ``text`` as wholes."""
    if isinstance(event, dict):
        return {
            key: _without_pieces(item) for key, item in event.items() if not (key in _PIECES and isinstance(item, str))
        }
    return [_without_pieces(item) for item in event] if isinstance(event, list) else event
