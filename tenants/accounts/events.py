"""The trail of accounts: who signed in, from where, and what was changed about the account."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest

from tenants.accounts.address import client_address
from tenants.accounts.models import AccountEventRow


@dataclass(frozen=True, slots=True)
class AccountEvent:
    """One event as its person sees it."""

    id: UUID
    action: str
    address: str | None
    user_agent: str
    detail: dict[str, Any]
    at: datetime


def note(
    action: str, user_id: UUID | None, *, request: HttpRequest | None = None, detail: dict[str, Any] | None = None
) -> None:
    """Write one event, in the transaction that is open."""
    AccountEventRow.objects.create(
        user_id=user_id,
        action=action,
        address=client_address(request) if request is not None else None,
        user_agent=request.headers.get("User-Agent", "")[:200] if request is not None else "",
        detail=detail or {},
    )


def events_of(user_id: UUID, *, limit: int = 50, before: UUID | None = None) -> tuple[AccountEvent, ...]:
    """The newest events of an account first; ``before`` continues after a page's last."""
    rows = AccountEventRow.objects.filter(user_id=user_id).order_by("-id")
    if before is not None:
        rows = rows.filter(id__lt=before)
    return tuple(
        AccountEvent(row.id, row.action, row.address, row.user_agent, row.detail, row.at) for row in rows[:limit]
    )
