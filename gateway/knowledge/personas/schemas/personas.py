"""Shapes of personas and their versions."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ninja import Schema
from pydantic import ConfigDict, Field, model_validator

from gateway.core.pagination import Page
from gateway.core.wire import Flag, Whole
from gateway.knowledge.personas.lint import Verdict
from gateway.knowledge.personas.schemas.lint import FindingOut
from gateway.knowledge.personas.types import Persona, PersonaVersion


class CreatePersonaIn(Schema):
    """A new persona: from a document, or from a template under an id of one's own."""

    model_config = ConfigDict(extra="forbid")
    cartridge: dict[str, Any] | None = Field(None, description="A Cartridge document, 1.1 or 1.2.")
    template: str | None = Field(
        None, max_length=64, description="The name of a template, of `GET /v1/persona-templates`."
    )
    id: str | None = Field(None, max_length=64, description="With `template`: the new persona's id.")
    draft: Flag = Field(False, description="Keep it as a draft instead of publishing it.")

    @model_validator(mode="after")
    def _one_source(self) -> CreatePersonaIn:
        if (self.cartridge is None) == (self.template is None):
            raise ValueError("give cartridge or template, one of the two")
        if self.id is not None and self.template is None:
            raise ValueError("id goes with template; a cartridge has its own")
        return self


class PublishPersonaIn(Schema):
    """The next version of a persona."""

    model_config = ConfigDict(extra="forbid")
    cartridge: dict[str, Any] = Field(description="A Cartridge document, 1.1 or 1.2.")
    expected_version: Whole | None = Field(
        None, ge=1, le=2**31 - 1, description="Publish only if this is still the current version."
    )


class RollBackPersonaIn(Schema):
    """Publish an earlier version's document again, as the next version."""

    model_config = ConfigDict(extra="forbid")
    version: Whole = Field(ge=1, le=2**31 - 1, description="The version whose document comes back.")
    expected_version: Whole | None = Field(
        None, ge=1, le=2**31 - 1, description="Only if this is still the current version."
    )


class PersonaOut(Schema):
    """One persona without its content."""

    id: str
    current_version: int
    created_at: datetime
    archived_at: datetime | None

    @classmethod
    def of(cls, persona: Persona) -> PersonaOut:
        return cls(
            id=persona.id, current_version=persona.current_version, created_at=persona.created_at,
            archived_at=persona.archived_at,
        )  # fmt: skip


class PersonaPage(Schema):
    data: list[PersonaOut]
    next_cursor: str | None

    @classmethod
    def of(cls, page: Page[Persona]) -> PersonaPage:
        return cls(data=[PersonaOut.of(persona) for persona in page.data], next_cursor=page.next_cursor)


class PersonaVersionOut(Schema):
    """One published version. ``warnings`` are what the lint rules say (200 at most, and ``more_warnings`` beside
    them); they did not stop it. ``made_from`` says where the text came from (``version:3``, ``template:support``,
    ``import:sha256:…``), null when it was written here."""

    id: str
    version: int
    digest: str
    published_at: datetime
    published_by: str
    made_from: str | None = None
    cartridge: dict[str, Any]
    warnings: list[FindingOut] = []
    more_warnings: int = 0

    @classmethod
    def of(cls, version: PersonaVersion, verdict: Verdict | None = None) -> PersonaVersionOut:
        return cls(
            id=version.persona_id, version=version.version, digest=version.digest, published_at=version.published_at,
            published_by=version.created_by, made_from=version.made_from or None, cartridge=version.raw,
            warnings=[FindingOut.of(finding) for finding in (verdict.findings if verdict else ())],
            more_warnings=verdict.more if verdict else 0,
        )  # fmt: skip


class PersonaVersionPage(Schema):
    data: list[PersonaVersionOut]
    next_cursor: str | None

    @classmethod
    def of(cls, page: Page[PersonaVersion]) -> PersonaVersionPage:
        return cls(data=[PersonaVersionOut.of(version) for version in page.data], next_cursor=page.next_cursor)


class PersonaTemplateOut(Schema):
    """A cartridge to begin with; `{{organization}}` in it becomes the organization's id."""

    name: str
    title: str
    about: str
    cartridge: dict[str, Any]


class PersonaTemplatesOut(Schema):
    data: list[PersonaTemplateOut]
