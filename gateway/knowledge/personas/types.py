"""A persona as the rest of the code sees it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Owner:
    type: str
    owner_id: str


@dataclass(frozen=True, slots=True)
class Style:
    tone: str
    formality: str
    emoji: str
    slang: str | None


@dataclass(frozen=True, slots=True)
class Behavior:
    do: tuple[str, ...]
    dont: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Example:
    user: str
    assistant: str


@dataclass(frozen=True, slots=True)
class ToolPrefs:
    prefer_recall_before_answer: bool


@dataclass(frozen=True, slots=True)
class SafetyRedirect:
    """``pattern`` is words in alternation (``medical|legal``); ``redirect`` is what to say instead."""

    pattern: str
    redirect: str


@dataclass(frozen=True, slots=True)
class Meta:
    version: str
    notes: str | None


@dataclass(frozen=True, slots=True)
class Cartridge:
    """A valid Cartridge v1.1 document."""

    id: str
    owner: Owner
    precedence: int
    style: Style
    behavior: Behavior
    examples: tuple[Example, ...]
    tool_prefs: ToolPrefs
    safety_redirects: tuple[SafetyRedirect, ...]
    meta: Meta

    @classmethod
    def of(cls, raw: dict[str, Any]) -> Cartridge:
        """The dataclass of a document that has passed ``lint.check``."""
        style, behavior, meta = raw["style"], raw["behavior"], raw["meta"]
        return cls(
            id=raw["id"],
            owner=Owner(raw["owner"]["type"], raw["owner"]["ownerId"]),
            precedence=raw["precedence"],
            style=Style(style["tone"], style["formality"], style["emoji"], style.get("slang")),
            behavior=Behavior(tuple(behavior["do"]), tuple(behavior["dont"])),
            examples=tuple(Example(turn["user"], turn["assistant"]) for turn in raw.get("examples", ())),
            tool_prefs=ToolPrefs(raw["toolPrefs"]["preferRecallBeforeAnswer"]),
            safety_redirects=tuple(
                SafetyRedirect(entry["pattern"], entry["redirect"]) for entry in raw.get("safetyRedirects", ())
            ),
            meta=Meta(meta["version"], meta.get("notes")),
        )


@dataclass(frozen=True, slots=True)
class Persona:
    """A persona without its content. ``archived_at`` is set when it no longer answers and no longer counts."""

    pk: UUID
    id: str
    current_version: int
    created_at: datetime
    archived_at: datetime | None


@dataclass(frozen=True, slots=True)
class PersonaVersion:
    """One immutable version. ``prompt`` is its compiled stable part; ``digest`` is ``sha256:`` over the canonical
    document."""

    pk: UUID
    persona_id: str
    version: int
    cartridge: Cartridge
    raw: dict[str, Any]
    digest: str
    prompt: str
    published_at: datetime
    created_by: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing a lint rule found. ``severity`` is ``error`` (blocks publishing) or ``warning``; ``fix`` says what
    to do."""

    pointer: str
    rule: str
    severity: str
    message: str
    fix: str
