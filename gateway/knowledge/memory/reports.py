"""What each night's tidying came to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from gateway.core import ids
from gateway.core.pagination import Page, check_limit, decode_cursor
from gateway.core.pagination import page as cut
from gateway.knowledge.memory.models import TidyReport


@dataclass(frozen=True, slots=True)
class NightReport:
    """One run: ``counts`` are of memories that were looked at, merged, purged (forgotten 30 days ago), expired, and of
    tombstones and reports that were dropped."""

    id: UUID
    ran_at: datetime
    counts: dict[str, int]

    @property
    def public_id(self) -> str:
        return ids.public("tdy", self.id)


def page(*, limit: int | None = None, cursor: str | None = None) -> Page[NightReport]:
    """Reports, newest first."""
    size, before = check_limit(limit), decode_cursor(cursor)
    rows = TidyReport.objects.order_by("-id")
    if before is not None:
        rows = rows.filter(id__lt=before)
    return cut([NightReport(row.id, row.ran_at, row.counts) for row in rows[: size + 1]], size)
