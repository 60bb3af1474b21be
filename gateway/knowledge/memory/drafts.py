"""From a memory as a caller gives it to one that can be written: every field checked against its limit, defaults
filled. Pure."""

from __future__ import annotations

import hashlib
import json
import math
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from gateway.core.errors import FieldProblem
from gateway.knowledge.memory.errors import InvalidMemory
from gateway.knowledge.memory.types import (
    MAX_NAME,
    MAX_REF,
    MAX_SNIPPET,
    MAX_TEXT,
    MAX_VALUE_BYTES,
    MemoryType,
    NewMemory,
    Provenance,
    Visibility,
)

_EARLIEST, _LATEST = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)
_USER_SAID, _FIRST_PARTY, _OUTSIDE = 3, 2, 0
# How far a source is trusted; what is not listed is a first-party tool of the caller's.
_TRUST = {"chat": _USER_SAID, "user": _USER_SAID, "org_kb": _OUTSIDE, "web": _OUTSIDE, "document": _OUTSIDE}


@dataclass(frozen=True, slots=True)
class Draft:
    """A checked memory. ``valid_from`` is the source's own time; ``sources`` has at least one."""

    text: str
    type: str
    slot: str | None
    value: Any
    speaker: str | None
    thread_id: str | None
    occurred_at: datetime
    valid_from: datetime | None
    valid_to: datetime | None
    expires_at: datetime | None
    scope: str
    memory_scope: str
    confidence: float
    trust: int
    persona_id: str | None
    proposal_id: Any
    sources: tuple[Provenance, ...]
    content_hash: bytes


class _Checks:
    """Collects what is wrong, so that a caller learns all of it at once."""

    def __init__(self) -> None:
        self.problems: list[FieldProblem] = []

    def fail(self, field: str, code: str, message: str) -> None:
        self.problems.append(FieldProblem(f"#/{field}", code, message))

    def text(self, field: str, value: str | None, most: int, *, least: int = 1) -> str | None:
        """The trimmed text; None stays None. PostgreSQL stores neither NUL nor half a surrogate pair."""
        if value is None:
            return None
        value = value.strip()
        if not least <= len(value) <= most:
            self.fail(field, "length", f"must have {least} to {most} characters, not {len(value)}")
        elif "\0" in value or any("\ud800" <= char <= "\udfff" for char in value):
            self.fail(field, "characters", "must not contain NUL characters or half a surrogate pair")
        return value

    def one_of(self, field: str, value: str, allowed: list[str]) -> None:
        if value not in allowed:
            self.fail(field, "unknown_value", f"must be one of {', '.join(allowed)}, not {value[:64]!r}")

    def time(self, field: str, value: datetime | None) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            self.fail(field, "offset_missing", "must carry an offset, like 2026-01-31T09:00:00+01:00")
            return None
        if not _EARLIEST < value.replace(tzinfo=UTC) < _LATEST:
            self.fail(field, "out_of_range", "must lie between the years 1 and 9999")
            return None
        return value.astimezone(UTC)

    def confidence(self, value: float) -> None:
        if not 0 <= value <= 1 or math.isnan(value):
            self.fail("confidence", "out_of_range", "must be 0 to 1")

    def json(self, field: str, value: Any) -> None:
        try:
            encoded = json.dumps(value, allow_nan=False)
        except (TypeError, ValueError):
            self.fail(field, "not_json", "must be plain JSON")
            return
        if len(encoded) > MAX_VALUE_BYTES:
            self.fail(field, "length", f"must have at most {MAX_VALUE_BYTES} bytes as JSON, not {len(encoded)}")
        elif "\\u0000" in encoded or ("\\ud" in encoded and any("\ud800" <= c <= "\udfff" for c in str(value))):
            self.fail(field, "characters", "must not contain NUL characters or half a surrogate pair")


def check(new: NewMemory, now: datetime) -> Draft:
    """The draft of ``new``, or InvalidMemory with every problem found."""
    checks = _Checks()
    text = checks.text("text", new.text, MAX_TEXT) or ""
    checks.one_of("type", new.type, [member.value for member in MemoryType])
    checks.one_of("scope", new.scope, [member.value for member in Visibility])
    checks.confidence(new.confidence)
    if new.value is not None:
        checks.json("value", new.value)
    sources = tuple(_source(checks, source) for source in (new.provenance, *new.further_sources))
    memory_scope = checks.text("memory_scope", new.memory_scope, MAX_NAME) or sources[0].source
    slot = checks.text("slot", new.slot, MAX_NAME)
    speaker = checks.text("speaker", new.speaker, MAX_NAME)
    thread_id = checks.text("thread_id", new.thread_id, MAX_NAME)
    persona_id = checks.text("persona_id", new.persona_id, MAX_NAME)
    occurred_at = checks.time("occurred_at", new.occurred_at)
    valid_from = checks.time("valid_from", new.valid_from)
    valid_to = checks.time("valid_to", new.valid_to)
    expires_at = checks.time("expires_at", new.expires_at)
    if valid_from is None and occurred_at is not None and occurred_at <= now:
        valid_from = occurred_at  # the source's time; an event still to come is known already, so it stays open
    if valid_from and valid_to and valid_to <= valid_from:
        checks.fail("valid_to", "before_valid_from", f"must be later than valid_from ({valid_from.isoformat()})")
    if expires_at and expires_at <= now:
        checks.fail("expires_at", "in_the_past", "must lie in the future")
    if checks.problems:
        raise InvalidMemory(checks.problems)
    return Draft(
        text, new.type, slot, new.value, speaker, thread_id, occurred_at or now, valid_from, valid_to, expires_at,
        new.scope, memory_scope, new.confidence, min(_TRUST.get(source.source, _FIRST_PARTY) for source in sources),
        persona_id, new.proposal_id, sources, content_hash(text, speaker, memory_scope, new.scope, persona_id),
    )  # fmt: skip


def _source(checks: _Checks, source: Provenance) -> Provenance:
    name = checks.text("provenance/source", source.source, MAX_NAME) or ""
    ref = checks.text("provenance/ref", source.ref, MAX_REF)
    snippet = checks.text("provenance/snippet", source.snippet, MAX_SNIPPET, least=0)
    return Provenance(name, ref or None, snippet or None)


def content_hash(text: str, speaker: str | None, memory_scope: str, scope: str, persona_id: str | None) -> bytes:
    """SHA-256 of what makes two memories the same: the words, who said them, and who may see them.

    The audience belongs to it: merging a memory into one that fewer may see would hide it, into one that more may
    see would show it.
    """
    words = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    audience = persona_id or "" if scope == Visibility.PRIVATE else ""
    parts = (words, (speaker or "").casefold(), memory_scope, scope, audience)
    return hashlib.sha256("\x1f".join(parts).encode()).digest()


def combined(first: float, second: float) -> float:
    """The confidence of a fact that two independent sources state."""
    return 1 - (1 - first) * (1 - second)
