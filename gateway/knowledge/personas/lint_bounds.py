"""What any document must keep to before it is looked at more closely, and before it may be kept. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from typing import Any

from gateway.core.nesting import MOST_LEVELS
from gateway.knowledge.personas.lint_catalogue import RULES
from gateway.knowledge.personas.types import Finding, pointer

MAX_DOCUMENT_CHARACTERS = 32_000
MAX_DEPTH = MOST_LEVELS


def beyond(raw: Any) -> Finding | None:
    """The one thing to say of a document that is too deep or too large to be worth any other word."""
    return too_deep(raw) or _too_large(raw)


def too_deep(raw: Any) -> Finding | None:
    """Told of the first place below the deepest level that is allowed. Before everything that recurses."""
    level: list[tuple[Any, Any]] = [((), raw)]
    for _ in range(MAX_DEPTH):
        level = [((way, name), inner) for way, value in level for name, inner in _inside(value)]
        if not level:
            return None
    way, names = level[0][0], []
    while way:
        way, name = way
        names.append(name)
    return RULES["document-depth"].at(pointer(reversed(names)), f"is nested more than {MAX_DEPTH} levels deep")


def unstorable(raw: Any) -> Iterator[Finding]:
    """What no store takes."""
    for place, text in texts(raw):
        if "\0" in text or any("\ud800" <= char <= "\udfff" for char in text):
            message = "must not contain NUL characters, half a surrogate pair, or a number that JSON does not have"
            yield RULES["storable"].at(place, message)


def size(raw: Any) -> int:
    """How many bytes a document has as JSON without blanks. It must not be too deep."""
    return len(json.dumps(raw, ensure_ascii=False, separators=(",", ":")).encode(errors="surrogatepass"))


def texts(document: Any) -> Iterator[tuple[str, str]]:
    """Every string in the document, names included, with its pointer, in the document's order. Not recursive: callers
    choose the depth."""
    todo = [("", document)]
    while todo:
        place, value = todo.pop()
        if isinstance(value, str):
            yield place, value
        elif isinstance(value, dict):
            below = [f"{place}{pointer([name])}" for name in value]
            yield from zip(below, value, strict=True)
            todo.extend(reversed([*zip(below, value.values(), strict=True)]))
        elif isinstance(value, list):
            todo.extend(reversed([(f"{place}/{index}", inner) for index, inner in enumerate(value)]))
        elif isinstance(value, float) and not math.isfinite(value):
            yield place, "\0"  # NaN and the infinities are no JSON; the rule about characters names the place


def _too_large(raw: Any) -> Finding | None:
    characters = len(json.dumps(raw, ensure_ascii=False))
    if characters <= MAX_DOCUMENT_CHARACTERS:
        return None
    return RULES["document-size"].at("", f"has {characters} characters, at most {MAX_DOCUMENT_CHARACTERS}")


def _inside(value: Any) -> Iterable[tuple[Any, Any]]:
    if isinstance(value, dict):
        return value.items()
    return enumerate(value) if isinstance(value, list) else ()
