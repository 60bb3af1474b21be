"""Shapes of drafts and of differences."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from ninja import Schema
from pydantic import ConfigDict, Field

from gateway.core.pagination import Page
from gateway.core.wire import Whole
from gateway.knowledge.personas.comparing import Comparison
from gateway.knowledge.personas.diff import FieldChange, PromptChange
from gateway.knowledge.personas.lint import Verdict
from gateway.knowledge.personas.schemas.lint import FindingOut
from gateway.knowledge.personas.types import Draft


class SavePersonaDraftIn(Schema):
    """A draft, finished or not."""

    model_config = ConfigDict(extra="forbid")
    cartridge: dict[str, Any] = Field(description="A Cartridge document; errors in it are reported, not refused.")
    expected_revision: Whole | None = Field(
        None, ge=0, le=2**31 - 1, description="Save only over this revision; 0: only if there is no draft."
    )


class PublishPersonaDraftIn(Schema):
    """What must still hold for the draft to be published."""

    model_config = ConfigDict(extra="forbid")
    expected_revision: Whole | None = Field(None, ge=1, le=2**31 - 1, description="The draft's revision.")
    expected_version: Whole | None = Field(
        None, ge=0, le=2**31 - 1,
        description="The current version; when left out, the one that the draft began from.",
    )  # fmt: skip


class PersonaDraftOut(Schema):
    """What is being written. ``based_on`` is the version it began from (0: none); ``findings`` are what lint says of
    it (200 at most, and ``more_findings`` beside them), and ``publishable`` that there is no error among them."""

    id: str
    revision: int
    based_on: int
    made_from: str | None
    created_at: datetime
    saved_at: datetime
    saved_by: str
    cartridge: dict[str, Any]
    publishable: bool
    findings: list[FindingOut]
    more_findings: int

    @classmethod
    def of(cls, draft: Draft, verdict: Verdict) -> PersonaDraftOut:
        return cls(
            id=draft.persona_id, revision=draft.revision, based_on=draft.based_on, made_from=draft.made_from or None,
            created_at=draft.created_at, saved_at=draft.updated_at, saved_by=draft.updated_by, cartridge=draft.raw,
            publishable=verdict.publishable, findings=[FindingOut.of(finding) for finding in verdict.findings],
            more_findings=verdict.more,
        )  # fmt: skip


class PersonaDraftLineOut(Schema):
    """One draft without its content."""

    id: str
    revision: int
    based_on: int
    saved_at: datetime
    saved_by: str


class PersonaDraftPage(Schema):
    data: list[PersonaDraftLineOut]
    next_cursor: str | None

    @classmethod
    def of(cls, page: Page[Draft]) -> PersonaDraftPage:
        return cls(
            data=[
                PersonaDraftLineOut(
                    id=draft.persona_id, revision=draft.revision, based_on=draft.based_on, saved_at=draft.updated_at,
                    saved_by=draft.updated_by,
                )
                for draft in page.data
            ],
            next_cursor=page.next_cursor,
        )  # fmt: skip


class PersonaFieldChangeOut(Schema):
    """One field that differs. ``pointer`` is in the later document, for what was removed in the earlier one."""

    op: Literal["add", "remove", "replace"]
    pointer: str
    before: Any = None
    after: Any = None

    @classmethod
    def of(cls, change: FieldChange) -> PersonaFieldChangeOut:
        return cls(op=change.op, pointer=change.pointer, before=change.before, after=change.after)


class PersonaPromptChangeOut(Schema):
    """How the compiled prompt differs, as the lines of a unified diff. Tokens are estimates, alike for every model."""

    lines: list[str]
    tokens_before: int
    tokens_after: int
    token_delta: int

    @classmethod
    def of(cls, change: PromptChange) -> PersonaPromptChangeOut:
        return cls(
            lines=list(change.lines), tokens_before=change.tokens_before, tokens_after=change.tokens_after,
            token_delta=change.token_delta,
        )  # fmt: skip


class PersonaDiffOut(Schema):
    """From one version to another, or to the draft. ``prompt`` is null where one of them is a draft with errors, which
    has no prompt."""

    from_version: str
    to_version: str
    changes: list[PersonaFieldChangeOut]
    prompt: PersonaPromptChangeOut | None

    @classmethod
    def of(cls, found: Comparison) -> PersonaDiffOut:
        return cls(
            from_version=found.before, to_version=found.after,
            changes=[PersonaFieldChangeOut.of(change) for change in found.changes],
            prompt=PersonaPromptChangeOut.of(found.prompt) if found.prompt else None,
        )  # fmt: skip
