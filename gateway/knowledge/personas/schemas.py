"""Shapes of personas on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ninja import Schema
from pydantic import ConfigDict, Field

from gateway.core.pagination import Page
from gateway.core.wire import Whole
from gateway.knowledge.personas.types import Finding, Persona, PersonaVersion


class CreatePersonaIn(Schema):
    """A new persona."""

    model_config = ConfigDict(extra="forbid")
    cartridge: dict[str, Any] = Field(description="A Cartridge v1.1 document.")


class PublishPersonaIn(CreatePersonaIn):
    """The next version of a persona."""

    expected_version: Whole | None = Field(
        None, ge=1, le=2**31 - 1, description="Publish only if this is still the current version."
    )


class FindingOut(Schema):
    """What a lint rule found."""

    pointer: str
    rule: str
    severity: str
    message: str
    fix: str

    @classmethod
    def of(cls, finding: Finding) -> FindingOut:
        return cls(
            pointer=f"#/cartridge{finding.pointer}", rule=finding.rule, severity=finding.severity,
            message=finding.message, fix=finding.fix,
        )  # fmt: skip


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
    """One published version. ``warnings`` are what the lint rules advise; they did not stop it."""

    id: str
    version: int
    digest: str
    published_at: datetime
    published_by: str
    cartridge: dict[str, Any]
    warnings: list[FindingOut] = []

    @classmethod
    def of(cls, version: PersonaVersion, findings: list[Finding] | None = None) -> PersonaVersionOut:
        return cls(
            id=version.persona_id, version=version.version, digest=version.digest, published_at=version.published_at,
            published_by=version.created_by, cartridge=version.raw,
            warnings=[FindingOut.of(finding) for finding in findings or ()],
        )  # fmt: skip


class PersonaVersionPage(Schema):
    data: list[PersonaVersionOut]
    next_cursor: str | None

    @classmethod
    def of(cls, page: Page[PersonaVersion]) -> PersonaVersionPage:
        return cls(data=[PersonaVersionOut.of(version) for version in page.data], next_cursor=page.next_cursor)
