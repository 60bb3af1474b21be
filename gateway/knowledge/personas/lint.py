"""Whether a cartridge may be published: its JSON Schema first, then the rules that a schema cannot say. Pure."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from gateway.knowledge.personas.types import Finding

SCHEMA: dict[str, Any] = json.loads((Path(__file__).parent / "cartridge_1_1.schema.json").read_text())
_VALIDATOR = Draft202012Validator(SCHEMA)

TONES = ("friendly", "concise", "formal", "playful", "expert")
MAX_EXAMPLE_CHARACTERS = 800
MAX_DOCUMENT_CHARACTERS = 32_000
_SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_EMAIL = re.compile(r"[\w.%+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}")
_PHONE = re.compile(r"(?<![\w.-])(?:\+[0-9][0-9 ()./-]{6,20}[0-9]|\(?[0-9]{3}\)?[ .-][0-9]{3}[ .-][0-9]{4})(?![\w-])")
_NESTING_QUANTIFIER = re.compile(r"[+*{]")


def check(raw: Any) -> list[Finding]:
    """Everything found, errors before warnings. Lint rules run only on a document that its schema accepts."""
    found = [_finding(error) for error in sorted(_VALIDATOR.iter_errors(raw), key=_place)]
    if not found:
        found = [finding for rule in RULES for finding in rule(raw)]
    return sorted(found, key=lambda finding: finding.severity != "error")


def errors(findings: list[Finding]) -> list[Finding]:
    """Those that block publishing."""
    return [finding for finding in findings if finding.severity == "error"]


def _place(error: ValidationError) -> str:
    return "/".join(str(part) for part in error.absolute_path)


def _pointer(parts: Any) -> str:
    """RFC 6901."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def _finding(error: ValidationError) -> Finding:
    """The schema's keyword is the rule. Long instances are not repeated in the message."""
    message = error.message if len(error.message) <= 200 else f"{error.message[:100]}…{error.message[-80:]}"
    return Finding(_pointer(error.absolute_path), f"schema.{error.validator}", "error", message, "Follow the schema.")


def _slug(raw: dict[str, Any]) -> Iterator[Finding]:
    if not _SLUG.fullmatch(raw["id"]):
        yield Finding(
            "/id", "id-slug", "error", "must be 1 to 64 letters, digits, dots, dashes or underscores",
            "Use a slug such as support-bot; @ is kept for naming a version.",
        )  # fmt: skip


def _size(raw: dict[str, Any]) -> Iterator[Finding]:
    size = len(json.dumps(raw, ensure_ascii=False))
    if size > MAX_DOCUMENT_CHARACTERS:
        message = f"has {size} characters, at most {MAX_DOCUMENT_CHARACTERS}"
        yield Finding("", "document-size", "error", message, "Shorten the rules and examples.")


def _tone(raw: dict[str, Any]) -> Iterator[Finding]:
    words = re.findall(r"[a-z]+", raw["style"]["tone"].lower())
    if not words or any(word not in TONES for word in words if word != "and"):
        yield Finding(
            "/style/tone",
            "tone-known",
            "warning",
            f"is usually one of {', '.join(TONES)}",
            "Pick one of the known tones.",
        )


def _examples(raw: dict[str, Any]) -> Iterator[Finding]:
    total = sum(len(turn["user"]) + len(turn["assistant"]) for turn in raw.get("examples", ()))
    if total > MAX_EXAMPLE_CHARACTERS:
        message = f"have {total} characters together, at most {MAX_EXAMPLE_CHARACTERS}"
        yield Finding("/examples", "examples-length", "error", message, "Keep the one or two that show the tone best.")


def _redirects(raw: dict[str, Any]) -> Iterator[Finding]:
    if not raw.get("safetyRedirects"):
        yield Finding(
            "/safetyRedirects", "safety-redirect", "error", "must have at least one entry",
            'Add one, such as {"pattern": "medical|legal", "redirect": "I can\'t advise on that. Ask a doctor."}.',
        )  # fmt: skip
    for index, entry in enumerate(raw.get("safetyRedirects", ())):
        if _NESTING_QUANTIFIER.search(entry["pattern"]):
            yield Finding(
                f"/safetyRedirects/{index}/pattern", "redirect-words", "error", "must be plain words separated by |",
                "Write the words out: medical|legal.",
            )  # fmt: skip


def _conflicts(raw: dict[str, Any]) -> Iterator[Finding]:
    forbidden = {rule.strip().casefold() for rule in raw["behavior"]["dont"]}
    for index, rule in enumerate(raw["behavior"]["do"]):
        if rule.strip().casefold() in forbidden:
            message = "is also under dont, which wins"
            yield Finding(f"/behavior/do/{index}", "do-and-dont", "warning", message, "Remove it from one of the two.")


def _personal_data(raw: dict[str, Any]) -> Iterator[Finding]:
    for pointer, text in _texts(raw, ""):
        for pattern, rule, name in ((_EMAIL, "pii-email", "email"), (_PHONE, "pii-phone", "phone")):
            if pattern.search(text):
                message = f"contains what looks like {'an e-mail address' if name == 'email' else 'a phone number'}"
                yield Finding(pointer, rule, "error", message, f"Use the placeholder {{{{{name}}}}}.")


def _unstorable(raw: dict[str, Any]) -> Iterator[Finding]:
    for pointer, text in _texts(raw, ""):
        if "\0" in text or any("\ud800" <= char <= "\udfff" for char in text):
            message = "must not contain NUL characters, half a surrogate pair, or a number that JSON does not have"
            yield Finding(pointer, "storable", "error", message, "Remove it.")


def _texts(document: Any, pointer: str) -> Iterator[tuple[str, str]]:
    """Every string in the document, names included, with its pointer. Not recursive: callers choose the depth."""
    todo = [(pointer, document)]
    while todo:
        place, value = todo.pop()
        if isinstance(value, str):
            yield place, value
        elif isinstance(value, dict):
            for name, inner in value.items():
                below = f"{place}{_pointer([name])}"
                yield below, name
                todo.append((below, inner))
        elif isinstance(value, list):
            todo.extend((f"{place}/{index}", inner) for index, inner in enumerate(value))
        elif isinstance(value, float) and not math.isfinite(value):
            yield place, "\0"  # NaN and the infinities are no JSON; the rule about characters names the place


RULES: tuple[Callable[[dict[str, Any]], Iterator[Finding]], ...] = (
    _slug, _size, _tone, _examples, _redirects, _conflicts, _personal_data, _unstorable,
)  # fmt: skip
