"""The operator's kill switches: a flag that is killed is off for every organization at once, whatever anybody chose.

Which flags there are is the gateway's affair (``gateway.platform.flags``); here a switch is a name that every worker's
directory knows within a second. A revived switch stays as a row, so that every worker hears of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from gateway.core import clock
from gateway.core.errors import BadRequest
from gateway.core.journal import Actor
from tenants.epoch import next_version
from tenants.killrows import KillSwitchRow

_LONGEST_REASON = 500


@dataclass(frozen=True, slots=True)
class Kill:
    """A flag that is off for everybody: since when, why, and who said so."""

    flag: str
    reason: str
    by: str
    since: datetime


def kill(flag: str, *, reason: str, actor: Actor) -> None:
    """Turn a flag off for everybody. Killing it again replaces the reason and keeps the time."""
    _write(flag, reason, actor, killed=True)


def revive(flag: str, *, reason: str, actor: Actor) -> bool:
    """Give a flag back to what each organization has of it. False when it was not killed."""
    return _write(flag, reason, actor, killed=False)


def _write(flag: str, reason: str, actor: Actor, *, killed: bool) -> bool:
    """Store the state; says whether the flag was killed before."""
    if not 1 <= len(reason.strip()) <= _LONGEST_REASON:
        raise BadRequest(f"A reason has 1 to {_LONGEST_REASON} characters.", code="invalid_reason")
    with transaction.atomic():
        version = next_version()  # its lock puts two operators in order
        row = KillSwitchRow.objects.filter(pk=flag).first() or KillSwitchRow(flag=flag)
        before = row.killed_at is not None
        if killed or before:
            row.killed_at = (row.killed_at or clock.now()) if killed else None
            row.reason, row.changed_by, row.changed_at, row.version = reason.strip(), str(actor), clock.now(), version
            row.save()
    return before


def killed() -> tuple[Kill, ...]:
    """Every flag that is killed now, from the database."""
    rows = KillSwitchRow.objects.filter(killed_at__isnull=False).order_by("flag")
    return tuple(_kill(row) for row in rows)


def changed_since(version: int) -> tuple[tuple[str, Kill | None], ...]:
    """What the directory does not know yet: each flag, and its kill or None once it was revived."""
    rows = KillSwitchRow.objects.filter(version__gt=version)
    return tuple((row.flag, _kill(row) if row.killed_at is not None else None) for row in rows)


def _kill(row: KillSwitchRow) -> Kill:
    return Kill(row.flag, row.reason, row.changed_by, row.killed_at or row.changed_at)
