"""What a schema cannot say about a cartridge. Each check is given any object, passes by what is not of its type, and
says what is wrong in the rest."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from gateway.knowledge.personas.lint_bounds import unstorable
from gateway.knowledge.personas.lint_catalogue import RULES
from gateway.knowledge.personas.lint_personal import personal_data
from gateway.knowledge.personas.lint_reading import blank, entries, part, text
from gateway.knowledge.personas.lint_style import STYLE_CHECKS
from gateway.knowledge.personas.safety import terms
from gateway.knowledge.personas.types import Finding
from gateway.knowledge.personas.words import words

Check = Callable[[dict[str, Any]], Iterator[Finding]]

MAX_EXAMPLE_CHARACTERS = 800
_SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_RESERVED = frozenset({"lint", "import"})
_REGEX_SIGNS = re.compile(r"[\\^$*+?{}()\[\]]")


def bad_id(given: str) -> Iterator[Finding]:
    """What keeps a text from being a persona's id."""
    if not _SLUG.fullmatch(given):
        yield RULES["id-slug"].at("/id", "must be 1 to 64 letters, digits, dots, dashes or underscores")
    if given in _RESERVED:
        yield RULES["id-reserved"].at("/id", f"must not be {given!r}, a word of the API's own paths")


def slug(raw: dict[str, Any]) -> Iterator[Finding]:
    if given := text(raw, "id"):
        yield from bad_id(given)


def examples(raw: dict[str, Any]) -> Iterator[Finding]:
    turns = entries(raw, "examples")
    total = sum(len(text(turn, who)) for turn in turns for who in ("user", "assistant"))
    if total > MAX_EXAMPLE_CHARACTERS:
        message = f"have {total} characters together, at most {MAX_EXAMPLE_CHARACTERS}"
        yield RULES["examples-length"].at("/examples", message)
    for index, turn in enumerate(turns):
        for who in ("user", "assistant"):
            if isinstance(said := part(turn, who), str) and blank(said):
                yield RULES["example-blank"].at(f"/examples/{index}/{who}", "says nothing")


def redirects(raw: dict[str, Any]) -> Iterator[Finding]:
    if raw.get("safetyRedirects", []) == []:
        yield RULES["safety-redirect"].at("/safetyRedirects", "must have at least one entry")
    first: dict[tuple[str, ...], int] = {}
    for index, entry in enumerate(entries(raw, "safetyRedirects")):
        place, pattern = f"/safetyRedirects/{index}", text(entry, "pattern")
        if isinstance(answer := part(entry, "redirect"), str) and blank(answer):
            yield RULES["redirect-blank"].at(f"{place}/redirect", "says nothing, so that the answer would be empty")
        found = terms(pattern)
        if pattern and (_REGEX_SIGNS.search(pattern) or not found):
            yield RULES["redirect-words"].at(f"{place}/pattern", "must be plain words separated by |")
            continue
        for term in found:
            before = first.setdefault(tuple(words(term)), index)
            if before != index:
                message = f"has {_short(term)!r}, which redirect {before} has already"
                yield RULES["redirect-twice"].at(f"{place}/pattern", message)


def _short(term: str) -> str:
    return term if len(term) <= 60 else f"{term[:60]}…"


CHECKS: tuple[Check, ...] = (slug, examples, redirects, personal_data, unstorable, *STYLE_CHECKS)
