"""From a memory as a caller gives it to one that can be written: every field checked against its limit, defaults
filled. Pure."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from gateway.core.errors import FieldProblem
from gateway.core.nesting import TOO_DEEP, is_too_deep
from gateway.knowledge.memory import slots, wording
from gateway.knowledge.memory.errors import InvalidMemory
from gateway.knowledge.memory.types import (
    LINEAGE,
    MAX_LABEL,
    MAX_NAME,
    MAX_PII_TAGS,
    MAX_POSITION,
    MAX_RECALLED,
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
USER_SAID, _FIRST_PARTY, _INFERRED, _OUTSIDE = 3, 2, 1, 0
# How far a source is trusted; what is not listed is a first-party tool of the caller's.
_TRUST = {"chat": USER_SAID, "user": USER_SAID, "org_kb": _OUTSIDE, "web": _OUTSIDE, "document": _OUTSIDE}


# Who speaks for the product, whatever the persona is called.
_ASSISTANTS = frozenset({"assistant", "ai", "bot", "model", "system", "persona"})


@dataclass(frozen=True, slots=True)
class Draft:
    """A checked memory. ``valid_from`` is the source's own time; ``sources`` has at least one. ``audience`` is the one
    persona that may recall it, None for all."""

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
    about: str | None
    where: str | None
    pii_tags: tuple[str, ...]
    extracted: bool
    recalled: tuple[str, ...]

    @property
    def audience(self) -> str | None:
        return audience(self.scope, self.persona_id)

    @property
    def begins(self) -> datetime:
        """From when on it is true."""
        return self.valid_from or self.occurred_at

    @property
    def value_key(self) -> bytes | None:
        return slots.value_key(self.value)

    @property
    def source_kinds(self) -> list[str]:
        """Every source whose consent it needs, the collection it is searched under being one."""
        return sorted(
            {name.casefold() for name in (self.memory_scope, *(s.source for s in self.sources))} - {"proposal"}
        )

    @property
    def lineage(self) -> str:
        """Those sources as one of a memory's lineages."""
        return LINEAGE.join(self.source_kinds)

    @property
    def is_assistants(self) -> bool:
        """Whether the assistant's own words are meant."""
        return is_assistant(self.speaker, self.persona_id)


def audience(scope: str, persona_id: str | None) -> str | None:
    """The one persona that may recall a memory of this visibility; None for all."""
    return persona_id if scope == Visibility.PRIVATE else None


def is_assistant(speaker: str | None, persona_id: str | None) -> bool:
    """Whether these are the words of the assistant rather than of a person."""
    return speaker is not None and speaker.casefold() in _ASSISTANTS | {(persona_id or "").casefold()}


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
        if is_too_deep(value):
            self.fail(field, "too_deep", TOO_DEEP)
            return
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
    memory_scope = checks.text("memory_scope", _folded(new.memory_scope), MAX_NAME) or sources[0].source
    slot = checks.text("slot", new.slot, MAX_NAME)
    slot = slots.name_of(slot) if slot is not None else None
    about, where = checks.text("about", new.about, MAX_LABEL), checks.text("where", new.where, MAX_LABEL)
    if len(new.pii_tags) > MAX_PII_TAGS:
        checks.fail("pii_tags", "length", f"must have at most {MAX_PII_TAGS} entries, not {len(new.pii_tags)}")
    tags = [checks.text(f"pii_tags/{n}", tag, MAX_NAME) or "" for n, tag in enumerate(new.pii_tags[:MAX_PII_TAGS])]
    if len(new.recalled) > MAX_RECALLED:
        checks.fail("recalled", "length", f"must have at most {MAX_RECALLED} entries, not {len(new.recalled)}")
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
        new.scope, memory_scope, new.confidence, _trust(sources, speaker, persona_id), persona_id, new.proposal_id,
        sources, content_hash(text, speaker, memory_scope, new.scope, persona_id), about, where,
        tuple(dict.fromkeys(tags)), new.extracted, new.recalled,
    )  # fmt: skip


def _trust(sources: tuple[Provenance, ...], speaker: str | None, persona_id: str | None) -> int:
    """The least of its lineage; what the assistant says is never more than inferred. A proposal adds no source of its
    own: it says who agreed."""
    trusts = [_TRUST.get(source.source, _FIRST_PARTY) for source in sources if source.source != "proposal"]
    least = min(trusts, default=_FIRST_PARTY)
    return min(least, _INFERRED) if is_assistant(speaker, persona_id) else least


def _source(checks: _Checks, source: Provenance) -> Provenance:
    name = checks.text("provenance/source", _folded(source.source), MAX_NAME) or ""
    ref = checks.text("provenance/ref", source.ref, MAX_REF)
    snippet = checks.text("provenance/snippet", source.snippet, MAX_SNIPPET, least=0)
    span = source.span
    if span is not None and not 0 <= span[0] < span[1] <= MAX_POSITION:
        checks.fail("provenance/span", "out_of_range", f"must be [start, end) with 0 ≤ start < end ≤ {MAX_POSITION}")
    return Provenance(name, ref or None, snippet or None, span)


def _folded(name: str | None) -> str | None:
    """A source or a collection as it is kept: consents, trust and filters know no upper case."""
    return name.casefold() if name is not None else None


def content_hash(text: str, speaker: str | None, memory_scope: str, scope: str, persona_id: str | None) -> bytes:
    """SHA-256 of what makes two memories the same: the words, who said them, and who may see them.

    The audience belongs to it: merging a memory into one that fewer may see would hide it, into one that more may
    see would show it.
    """
    parts = (wording.normal(text), (speaker or "").casefold(), memory_scope, scope, audience(scope, persona_id) or "")
    return hashlib.sha256("\x1f".join(parts).encode()).digest()


def combined(first: float, second: float) -> float:
    """The confidence of a fact that two independent sources state."""
    return 1 - (1 - first) * (1 - second)
