"""A persona as the rest of the code sees it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args
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


STAGES = ("stranger", "acquaintance", "friend", "best_friend")
"""How well a person and a persona know each other, from the first word on."""

Mode = Literal["direct", "group"]
"""``direct``: one person alone with the persona. ``group``: others read along."""
MODES: tuple[str, ...] = get_args(Mode)


@dataclass(frozen=True, slots=True)
class Voice:
    """What a stage or a mode changes in how the persona speaks. None: as in ``style``."""

    tone: str | None = None
    formality: str | None = None
    emoji: str | None = None
    slang: str | None = None
    do: tuple[str, ...] = ()
    dont: tuple[str, ...] = ()

    @classmethod
    def of(cls, raw: dict[str, Any]) -> Voice:
        return cls(
            raw.get("tone"), raw.get("formality"), raw.get("emoji"), raw.get("slang"),
            tuple(raw.get("do", ())), tuple(raw.get("dont", ())),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Continuation:
    """How the persona keeps a conversation going. Probabilities are 0 to 1; ``types`` are ``question`` and
    ``share``."""

    enabled: bool
    probability: float
    reflex_question_probability: float
    types: tuple[str, ...]
    share_from_memories: bool

    @classmethod
    def of(cls, raw: dict[str, Any]) -> Continuation:
        return cls(
            raw["enabled"], raw.get("probability", 0.5), raw.get("reflex_question_probability", 0.0),
            tuple(raw.get("types", ("question",))), raw.get("share_from_memories", False),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cartridge:
    """A valid document of Cartridge 1.1 or 1.2; of a 1.1 document the last three are empty."""

    id: str
    owner: Owner
    precedence: int
    style: Style
    behavior: Behavior
    examples: tuple[Example, ...]
    tool_prefs: ToolPrefs
    safety_redirects: tuple[SafetyRedirect, ...]
    meta: Meta
    stages: tuple[tuple[str, Voice], ...] = ()
    continuation: Continuation | None = None
    modes: tuple[tuple[str, Voice], ...] = ()

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
            # In the order of the stages, not of the document: the same prompt however its keys are sorted.
            stages=tuple((name, Voice.of(raw["stages"][name])) for name in STAGES if name in raw.get("stages", ())),
            continuation=Continuation.of(raw["continuation"]) if "continuation" in raw else None,
            modes=tuple((name, Voice.of(raw["modes"][name])) for name in MODES if name in raw.get("modes", ())),
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
    document; ``made_from`` says where its text came from when nobody wrote it here (``version:3``,
    ``template:support``, ``import:sha256:…``)."""

    pk: UUID
    persona_id: str
    version: int
    cartridge: Cartridge
    raw: dict[str, Any]
    digest: str
    prompt: str
    published_at: datetime
    created_by: str
    made_from: str = ""


@dataclass(frozen=True, slots=True)
class Draft:
    """What is being written for a persona. ``revision`` counts its saves; ``based_on`` is the version it began from, 0
    when there was none; ``raw`` need not be valid."""

    pk: UUID
    persona_id: str
    raw: dict[str, Any]
    revision: int
    based_on: int
    made_from: str
    created_at: datetime
    updated_at: datetime
    updated_by: str


@dataclass(frozen=True, slots=True)
class Relationship:
    """How well a subject and a persona know each other. ``since`` is when the stage was reached, None before the first
    turn; ``locked`` means that turns no longer move it; ``next_stage_at`` is the number of turns that brings the next
    stage, None at the last and while locked."""

    persona_id: str
    stage: str
    turns: int
    level: int
    locked: bool
    since: datetime | None
    next_stage_at: int | None


Severity = Literal["error", "warning", "advice"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing a lint rule found. ``severity`` is ``error`` (blocks publishing), ``warning`` (works, but is probably
    not meant) or ``advice`` (could be better); ``fix`` says what to do."""

    pointer: str
    rule: str
    severity: Severity
    message: str
    fix: str


def pointer(parts: Iterable[Any]) -> str:
    """A JSON pointer (RFC 6901); empty for the whole document."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)
