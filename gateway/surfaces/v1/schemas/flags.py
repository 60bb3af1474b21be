"""Shapes of `/v1/flags`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from ninja import Field, Schema
from pydantic import ConfigDict, StrictBool, StrictInt

from gateway.core import ids
from gateway.platform.audit.types import AuditEntry
from gateway.platform.flags import catalogue
from gateway.platform.flags.types import Flag, Reason, Setter
from tenants.directory import directory
from tenants.killswitch import Kill
from tenants.types import Organization

Why = Annotated[str, Field(min_length=1, max_length=500, pattern=r"\S", description="Kept in the audit log.")]


class FlagIn(Schema):
    """What the organization chooses, and why."""

    model_config = ConfigDict(extra="forbid")

    value: StrictBool | Annotated[StrictInt, Field(ge=0, le=100_000_000)]
    reason: Why


class FlagRangeOut(Schema):
    least: int
    most: int
    unit: str


class FlagKillOut(Schema):
    """The operator has switched this off for everybody."""

    since: datetime
    reason: str


class FlagChangeOut(Schema):
    """The organization's last change; `value` is null when it took its choice back."""

    value: bool | int | None
    by: str
    at: datetime
    reason: str


class FlagOut(Schema):
    """`source` is `organization` (with `set_by`: itself or the operator), `plan`, `default`, `killed` or `clamped` (a
    stored number outside the range). `version` counts the organization's own changes, for `If-Match`."""

    key: str
    value: bool | int
    source: Reason
    set_by: Setter | None
    default: bool | int
    purpose: str
    plan: str | None = Field(description="The cheapest plan that includes it; null when none does.")
    range: FlagRangeOut | None
    operator_only: bool
    version: int
    killed: FlagKillOut | None
    last_change: FlagChangeOut | None = Field(description="Only for callers with `flags:write`.")

    @classmethod
    def of(cls, organization: Organization, flag: Flag, *, with_change: bool) -> FlagOut:
        found = catalogue.resolve(organization, flag.key)
        chosen = organization.settings.flags.get(flag.key)
        kill: Kill | None = directory.killed.get(flag.key)
        return cls(
            key=flag.key,
            value=found.value,
            source=found.reason,
            set_by=found.setter,
            default=flag.default,
            purpose=flag.purpose,
            plan=catalogue.needs_plan(flag.key),
            range=FlagRangeOut(least=flag.least, most=flag.most, unit=flag.unit) if flag.is_number else None,
            operator_only=flag.operator_only,
            version=chosen["version"] if chosen else 0,
            killed=FlagKillOut(since=kill.since, reason=kill.reason) if kill is not None else None,
            last_change=_change(chosen) if chosen and with_change else None,
        )


class FlagsOut(Schema):
    """Every flag there is; never a next page."""

    data: list[FlagOut]
    next_cursor: None = None


class FlagHistoryEntryOut(Schema):
    """One change from the audit log. `before` and `after` are the organization's choice, or the operator's override
    where `override` says so; null is none."""

    at: datetime
    by: str
    before: bool | int | None
    after: bool | int | None
    reason: str
    override: bool
    request_id: str | None
    audit_id: str

    @classmethod
    def of(cls, entry: AuditEntry) -> FlagHistoryEntryOut:
        detail = entry.detail
        return cls(
            at=entry.occurred_at,
            by=str(entry.actor),
            before=detail.get("before"),
            after=detail.get("after"),
            reason=detail.get("reason", ""),
            override=bool(detail.get("override")),
            request_id=ids.public("req", entry.request_id) if entry.request_id else None,
            audit_id=entry.public_id,
        )


class FlagHistoryOut(Schema):
    data: list[FlagHistoryEntryOut]
    next_cursor: str | None


def _change(chosen: dict[str, Any]) -> FlagChangeOut:
    return FlagChangeOut(value=chosen["value"], by=chosen["by"], at=chosen["at"], reason=chosen["reason"])
