"""Shapes of corrected memories, consents and boundaries on the wire."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from ninja import Schema
from pydantic import BeforeValidator, ConfigDict, Field

from gateway.core import ids
from gateway.core.wire import Flag, Number, Whole, ZonedMoment
from gateway.knowledge.memory.lines import DrawnBoundary, SourceConsent
from gateway.knowledge.memory.reports import NightReport
from gateway.knowledge.memory.types import MAX_LABEL, MAX_PII_TAGS, MAX_TEXT, Memory, MemoryType
from gateway.surfaces.v1.schemas.memories import Label, MemoryOut, Name

_KEPT = timedelta(days=30)


def _public(memory_id: UUID) -> str:
    return ids.public("mem", memory_id)


_Named = Annotated[str, BeforeValidator(_public)]


class CorrectionIn(Schema):
    """The fields to correct; what is left out stays, ``null`` empties a field."""

    model_config = ConfigDict(extra="forbid")
    text: str | None = Field(None, min_length=1, max_length=MAX_TEXT)
    type: MemoryType | None = None
    slot: Name | None = None
    value: Any = None
    speaker: Name | None = None
    about: Label | None = None
    where: Label | None = None
    pii_tags: list[Name] | None = Field(None, max_length=MAX_PII_TAGS)
    occurred_at: ZonedMoment | None = None
    valid_from: ZonedMoment | None = None
    valid_to: ZonedMoment | None = None
    expires_at: ZonedMoment | None = None
    confidence: Number | None = Field(None, ge=0, le=1)
    expected_version: Whole | None = Field(None, ge=1, le=2**31 - 1, description="409 unless it is at this version.")

    def changes(self) -> dict[str, Any]:
        """The fields that were sent."""
        given = {name: getattr(self, name) for name in self.model_fields_set - {"expected_version"}}
        if given.get("pii_tags") is not None:
            given["pii_tags"] = tuple(given["pii_tags"])
        return given


class ChangedMemoryOut(MemoryOut):
    """A memory that was silenced or brought back. ``also`` are those with the same words that went along;
    ``beyond_reach`` counts those that the key may not touch."""

    also: list[_Named]
    beyond_reach: int


class ForgottenOut(Schema):
    """A memory that is no longer found. Its row is kept until ``purge_after``. ``also`` are those with the same words
    that went along; ``beyond_reach`` counts those that the key may not touch: they are still found."""

    id: str
    status: str
    forgotten_at: datetime | None
    purge_after: datetime | None
    also: list[str]
    beyond_reach: int

    @classmethod
    def of(cls, memory: Memory) -> ForgottenOut:
        purge_after = memory.forgotten_at + _KEPT if memory.forgotten_at else None
        return cls(
            id=memory.public_id, status=memory.status, forgotten_at=memory.forgotten_at, purge_after=purge_after,
            also=[_public(one) for one in memory.also], beyond_reach=memory.beyond_reach,
        )  # fmt: skip


class MemoryHistory(Schema):
    data: list[MemoryOut]
    next_cursor: str | None


class ConsentIn(Schema):
    model_config = ConfigDict(extra="forbid")
    granted: Flag = Field(description="false takes the source out of every recall at once.")


class ConsentOut(Schema):
    """What the subject said about one source last."""

    source: str
    granted: bool
    granted_at: datetime | None
    revoked_at: datetime | None
    updated_by: str

    @classmethod
    def of(cls, consent: SourceConsent) -> ConsentOut:
        return cls(**{name: getattr(consent, name) for name in cls.model_fields})


class ConsentList(Schema):
    """All that the subject said; a source that is not listed may be used."""

    data: list[ConsentOut]


class BoundaryIn(Schema):
    """A line that the subject draws."""

    model_config = ConfigDict(extra="forbid")
    kind: Literal["topic", "source"]
    statement: str = Field("", max_length=MAX_LABEL, description="What not to bring up; needed for a topic.")
    source: Name | None = Field(None, description="What not to look at; needed for a source.")


class BoundaryOut(Schema):
    """One line; ``lifted_at`` is null while it holds."""

    id: str
    kind: str
    statement: str
    source: str | None
    created_at: datetime
    created_by: str
    lifted_at: datetime | None
    lifted_by: str | None

    @classmethod
    def of(cls, boundary: DrawnBoundary) -> Self:
        plain = {name: getattr(boundary, name) for name in cls.model_fields if name != "id"}
        return cls(id=boundary.public_id, **plain)


class NewBoundaryOut(BoundaryOut):
    """A line just drawn: ``statement`` is the topic as it was understood, ``hides`` how many memories that covers."""

    hides: int


class BoundaryList(Schema):
    data: list[BoundaryOut]
    next_cursor: str | None


class TidyReportOut(Schema):
    """One night: how many memories were merged with one that says the same, purged 30 days after being forgotten, and
    removed because they had expired."""

    id: str
    ran_at: datetime
    counts: dict[str, int]

    @classmethod
    def of(cls, report: NightReport) -> TidyReportOut:
        return cls(id=report.public_id, ran_at=report.ran_at, counts=report.counts)


class TidyReportPage(Schema):
    data: list[TidyReportOut]
    next_cursor: str | None
