"""What a schema cannot say about a cartridge. Each check is given a document that its schema accepts."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from gateway.governance.policies.redaction import redact
from gateway.knowledge.personas.lint_catalogue import RULES
from gateway.knowledge.personas.lint_style import STYLE_CHECKS
from gateway.knowledge.personas.safety import terms
from gateway.knowledge.personas.types import Finding, pointer
from gateway.knowledge.personas.words import words

Check = Callable[[dict[str, Any]], Iterator[Finding]]

MAX_EXAMPLE_CHARACTERS = 800
MAX_DOCUMENT_CHARACTERS = 32_000
MAX_DEPTH = 32
SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
RESERVED = frozenset({"lint", "import"})
_REGEX_SIGNS = re.compile(r"[\\^$*+?{}()\[\]]")
_LONG_NUMBER = re.compile(r"(?<![\w.])[0-9]{9,}(?![\w])")
_MASKS = {
    "email": "pii-email", "phone": "pii-phone", "card": "pii-id", "iban": "pii-id", "national_id": "pii-id",
    "secret": "pii-secret", "ip": "pii-ip",
}  # fmt: skip
_LOOKS_LIKE = {
    "email": "an e-mail address", "phone": "a phone number", "card": "a card number", "iban": "a bank account",
    "national_id": "a national identity number", "secret": "a secret", "ip": "an IP address",
}  # fmt: skip


def slug(raw: dict[str, Any]) -> Iterator[Finding]:
    if not SLUG.fullmatch(raw["id"]):
        yield RULES["id-slug"].at("/id", "must be 1 to 64 letters, digits, dots, dashes or underscores")
    if raw["id"] in RESERVED:
        yield RULES["id-reserved"].at("/id", f"must not be {raw['id']!r}, a word of the API's own paths")


def size(raw: dict[str, Any]) -> Iterator[Finding]:
    characters = len(json.dumps(raw, ensure_ascii=False))
    if characters > MAX_DOCUMENT_CHARACTERS:
        yield RULES["document-size"].at("", f"has {characters} characters, at most {MAX_DOCUMENT_CHARACTERS}")


def examples_length(raw: dict[str, Any]) -> Iterator[Finding]:
    total = sum(len(turn["user"]) + len(turn["assistant"]) for turn in raw.get("examples", ()))
    if total > MAX_EXAMPLE_CHARACTERS:
        message = f"have {total} characters together, at most {MAX_EXAMPLE_CHARACTERS}"
        yield RULES["examples-length"].at("/examples", message)


def redirects(raw: dict[str, Any]) -> Iterator[Finding]:
    if not raw.get("safetyRedirects"):
        yield RULES["safety-redirect"].at("/safetyRedirects", "must have at least one entry")
    first: dict[tuple[str, ...], int] = {}
    for index, entry in enumerate(raw.get("safetyRedirects", ())):
        place, found = f"/safetyRedirects/{index}/pattern", terms(entry["pattern"])
        if _REGEX_SIGNS.search(entry["pattern"]) or not found:
            yield RULES["redirect-words"].at(place, "must be plain words separated by |")
            continue
        for term in found:
            before = first.setdefault(tuple(words(term)), index)
            if before != index:
                message = f"has {term!r}, which redirect {before} has already"
                yield RULES["redirect-twice"].at(place, message)


def personal_data(raw: dict[str, Any]) -> Iterator[Finding]:
    """By the same detectors that mask answers, at their strictest."""
    for place, text in texts(raw):
        masked = redact(text, "strict") if place != "/meta/version" else text
        found = [kind for kind in _MASKS if masked.count(f"[{kind}]") > text.count(f"[{kind}]")]
        for kind in found:
            yield RULES[_MASKS[kind]].at(place, f"contains what looks like {_LOOKS_LIKE[kind]}")
        if not found and _LONG_NUMBER.search(text):
            yield RULES["pii-number"].at(place, "contains a number of nine digits or more")


def unstorable(raw: dict[str, Any]) -> Iterator[Finding]:
    for place, text in texts(raw):
        if "\0" in text or any("\ud800" <= char <= "\udfff" for char in text):
            message = "must not contain NUL characters, half a surrogate pair, or a number that JSON does not have"
            yield RULES["storable"].at(place, message)
    if (deep := _too_deep(raw)) is not None:
        yield RULES["document-depth"].at(deep, f"is nested more than {MAX_DEPTH} levels deep")


def _too_deep(raw: dict[str, Any]) -> str | None:
    """The pointer, cut short, of the first place below the deepest level that is allowed."""
    level: list[tuple[str, Any]] = [("", raw)]
    for _ in range(MAX_DEPTH):
        level = [(f"{place}{pointer([name])}", inner) for place, value in level for name, inner in _inside(value)]
        if not level:
            return None
    return level[0][0]


def _inside(value: Any) -> Iterable[tuple[Any, Any]]:
    if isinstance(value, dict):
        return value.items()
    return enumerate(value) if isinstance(value, list) else ()


def texts(document: Any) -> Iterator[tuple[str, str]]:
    """Every string in the document, names included, with its pointer. Not recursive: callers choose the depth."""
    todo = [("", document)]
    while todo:
        place, value = todo.pop()
        if isinstance(value, str):
            yield place, value
        elif isinstance(value, dict):
            for name, inner in value.items():
                below = f"{place}{pointer([name])}"
                yield below, name
                todo.append((below, inner))
        elif isinstance(value, list):
            todo.extend((f"{place}/{index}", inner) for index, inner in enumerate(value))
        elif isinstance(value, float) and not math.isfinite(value):
            yield place, "\0"  # NaN and the infinities are no JSON; the rule about characters names the place


CHECKS: tuple[Check, ...] = (
    slug, size, examples_length, redirects, personal_data, unstorable, *STYLE_CHECKS,
)  # fmt: skip
