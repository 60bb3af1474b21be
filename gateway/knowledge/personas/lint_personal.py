"""Personal data and secrets: found by the detectors that mask answers, at their strictest, and a little more widely,
because a cartridge is looked at once and by its author. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any

from gateway.governance.policies.redaction import redact
from gateway.knowledge.personas.lint_bounds import texts
from gateway.knowledge.personas.lint_catalogue import RULES
from gateway.knowledge.personas.types import Finding

_MASKS = {
    "email": "pii-email", "phone": "pii-phone", "card": "pii-id", "iban": "pii-id", "national_id": "pii-id",
    "secret": "pii-secret", "ip": "pii-ip",
}  # fmt: skip
_LOOKS_LIKE = {
    "email": "an e-mail address", "phone": "a phone number", "card": "a card number", "iban": "a bank account",
    "national_id": "a national identity number", "secret": "a secret", "ip": "an IP address",
}  # fmt: skip
_LONG_NUMBER = re.compile(r"(?<![\w.])[0-9]{9,}(?![\w])")
# ``password: hunter2``, ``API key = "a1b2c3"``, ``"token": "…"``: a name for a secret, a sign, and a word that nobody
# would say. ``Password: at least 8 characters`` has none, ``{{password}}`` and ``<token>`` stand for one.
_NAMED = re.compile(
    r"(?<![^\W_])(?:(?P<word>pass(?:word|wd|phrase|code)|pwd)|secret|token|credentials?"
    r"|(?:api|access|secret|private|auth|bearer)[ _-]?(?:key|token|secret))"
    r"[\"'`]?[ \t]{0,3}(?:[:=]|\bis\b)[ \t]{0,3}[\"'`]?(?=(?P<value>[^\s\"'`,;{}<>\[\]()]{6,128}))",
    re.IGNORECASE,
)
# Between texts that are read in one piece: no pattern goes on behind the end of a line.
_APART = "\n"


def personal_data(raw: dict[str, Any]) -> Iterator[Finding]:
    """Every text, with the name it stands under: ``{"password": "hunter2"}`` says what ``password: hunter2`` says."""
    said = [(place, text) for place, text in _with_names(raw) if place != "/meta/version"]
    for place, text in _suspicious(said):
        masked = redact(text, "strict")
        found = [kind for kind in _MASKS if masked.count(f"[{kind}]") > text.count(f"[{kind}]")]
        if "secret" not in found and _names_a_secret(text):
            found.append("secret")
        for kind in found:
            yield RULES[_MASKS[kind]].at(place, f"contains what looks like {_LOOKS_LIKE[kind]}")
        if not found and _LONG_NUMBER.search(text):
            yield RULES["pii-number"].at(place, "contains a number of nine digits or more")


def plain(text: str) -> str:
    """The text as it is read: full-width and other compatible characters as the usual ones, every script's digits as 0
    to 9, and nothing that cannot be seen."""
    if text.isascii():
        return text
    return "".join(
        str(unicodedata.decimal(char)) if char.isdecimal() else char
        for char in unicodedata.normalize("NFKC", text)
        if unicodedata.category(char) != "Cf"
    )


def _with_names(raw: Any) -> Iterator[tuple[str, str]]:
    """Each text as it is read; a value with its name in front, where the name alone does not say it already."""
    for place, text in texts(raw):
        name = place.rpartition("/")[2]
        yield place, plain(text if text == name or name.isdecimal() else f"{name}: {text}")


def _suspicious(said: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Those texts in which there may be something, found by narrowing down: a clean document is read once,
    in one piece."""
    whole = _APART.join(text for _, text in said)
    if redact(whole, "strict") == whole and not _names_a_secret(whole) and not _LONG_NUMBER.search(whole):
        return
    if len(said) == 1:
        yield said[0]
        return
    step = -(-len(said) // 16)
    for begin in range(0, len(said), step):
        yield from _suspicious(said[begin : begin + step])


def _names_a_secret(text: str) -> bool:
    return any(_secretive(match["value"], bool(match["word"])) for match in _NAMED.finditer(text))


def _secretive(value: str, of_a_person: bool) -> bool:
    """Letters and digits mixed, or, behind a word for a password, digits alone."""
    digits = any(char.isdigit() for char in value)
    return digits and (of_a_person or any(char.isalpha() for char in value))
