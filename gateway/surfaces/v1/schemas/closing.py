"""The end of an organization on the wire."""

from __future__ import annotations

from datetime import datetime

from ninja import Field, Schema
from pydantic import ConfigDict

from tenants.people.closing import Closing


class ClosingIn(Schema):
    """``confirm`` is the organization's slug. ``password`` may be left out within five minutes of the last sign-in or
    re-authentication."""

    model_config = ConfigDict(extra="forbid")

    confirm: str = Field(max_length=40)
    password: str | None = Field(None, max_length=1_000)


class OrganizationExportIn(Schema):
    """``password`` may be left out within five minutes of the last sign-in or re-authentication."""

    model_config = ConfigDict(extra="forbid")

    password: str | None = Field(None, max_length=1_000)


class ClosingOut(Schema):
    """``state`` is ``closing`` from the request until it is taken back or everything is deleted at ``closes_at``. A
    POST to ``export`` takes everything along until then."""

    state: str
    requested_at: datetime | None
    requested_by: str | None
    closes_at: datetime | None
    export: str

    @classmethod
    def of(cls, closing: Closing) -> ClosingOut:
        return cls(
            state="open" if closing.requested_at is None else "closing",
            requested_at=closing.requested_at,
            requested_by=closing.requested_by,
            closes_at=closing.closes_at,
            export="/v1/organization/export",
        )
