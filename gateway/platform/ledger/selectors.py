"""Reading the ledger inside an organization's scope. Lists page by request id, newest first; sums are the roll-up's."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Any
from uuid import UUID

from django.db.models import QuerySet, Sum

from gateway.core import clock
from gateway.core.endpoint import REHEARSAL
from gateway.platform.ledger.lines import day_of, month_bounds
from gateway.platform.ledger.models import LedgerDailyRow, LedgerEntryRow
from gateway.platform.ledger.types import (
    CORRECTION,
    EntryFilter,
    EntryPage,
    LedgerEntry,
    MonthTotals,
    Source,
    State,
)

_PLAIN = ("key_id", "user_id", "status", "model", "surface", "persona_id", "subject_id")
_SUMMED = (
    "calls",
    "entries",
    "prompt_tokens",
    "completion_tokens",
    "cached_tokens",
    "memory_recalls",
    "provider_cost_micros",
    "markup_micros",
    "charged_micros",
)


def entry(org_id: UUID, request_id: UUID) -> LedgerEntry | None:
    """One request, or None when the ledger has none of this organization under that id."""
    if request_id.version != 7:
        return None
    rows = LedgerEntryRow.objects.filter(org_id=org_id, day=day_of(request_id), request_id=request_id, operations=None)
    found = list(rows.order_by("attempt"))
    return _request(found) if found else None


def entries(
    org_id: UUID, filters: EntryFilter | None = None, cursor: UUID | None = None, *, limit: int = 50
) -> EntryPage:
    """At most ``limit`` requests older than ``cursor``."""
    rows = _matching(org_id, filters or EntryFilter())
    if cursor is not None:
        rows = rows.filter(request_id__lt=cursor, day__lte=day_of(cursor))
    wanted = list(rows.order_by("-request_id").values_list("request_id", flat=True).distinct()[: limit + 1])
    page = wanted[:limit]
    if not page:
        return EntryPage((), None)
    attempts = LedgerEntryRow.objects.filter(
        org_id=org_id, request_id__in=page, operations=None, day__gte=day_of(page[-1]), day__lte=day_of(page[0])
    ).order_by("-request_id", "attempt")
    requests = tuple(_request(list(group)) for _, group in groupby(attempts, key=lambda row: row.request_id))
    return EntryPage(requests, page[-1] if len(wanted) > limit else None)


def many(org_id: UUID, request_ids: Collection[UUID]) -> dict[UUID, LedgerEntry]:
    """The requests that the ledger has of these, by id. One query for any number of them."""
    known = {request_id for request_id in request_ids if request_id.version == 7}
    if not known:
        return {}
    rows = LedgerEntryRow.objects.filter(
        org_id=org_id, request_id__in=known, operations=None, day__gte=day_of(min(known)), day__lte=day_of(max(known))
    ).order_by("request_id", "attempt")
    groups = groupby(rows, key=lambda row: row.request_id)
    return {request_id: _request(list(group)) for request_id, group in groups}


def _matching(org_id: UUID, filters: EntryFilter) -> QuerySet[LedgerEntryRow]:
    given = {name: value for name, value in asdict(filters).items() if value is not None}
    rows = LedgerEntryRow.objects.filter(
        org_id=org_id, operations=None, **{name: given[name] for name in _PLAIN if name in given}
    )
    if "state" in given:
        rows = rows.filter(state__in=[state for state in State if state.word == given["state"]])
    if "since" in given:
        rows = rows.filter(day__gte=given["since"].date(), occurred_at__gte=given["since"])
    if "until" in given:
        rows = rows.filter(day__lte=given["until"].date(), occurred_at__lt=given["until"])
    return rows


def _request(rows: Sequence[LedgerEntryRow]) -> LedgerEntry:
    attempts = [row for row in rows if row.attempt < CORRECTION]
    corrections = {row.attempt - CORRECTION: row for row in rows if row.attempt >= CORRECTION}
    last = attempts[-1]
    # What a correction does not express as a difference it states anew.
    final = corrections.get(last.attempt, last)

    def total(column: str) -> int:
        return sum(getattr(row, column) or 0 for row in rows)

    return LedgerEntry(
        org_id=last.org_id,
        request_id=last.request_id,
        day=last.day,
        occurred_at=last.occurred_at,
        attempts=len(attempts),
        key_id=last.key_id,
        surface=last.surface,
        model=last.model,
        provider=final.provider,
        status=final.status,
        outcome=final.outcome,
        state=(State.SETTLED if final is not last else State(last.state)).word,
        usage_source=Source(final.usage_source).word,
        persona_id=last.persona_id,
        subject_id=last.subject_id,
        prompt_tokens=total("prompt_tokens"),
        completion_tokens=total("completion_tokens"),
        cached_tokens=total("cached_tokens"),
        memory_recalls=total("memory_recalls"),
        cache_hit=final.cache_hit,
        provider_cost_micros=total("provider_cost_micros"),
        markup_micros=total("markup_micros"),
        charged_micros=total("charged_micros"),
        price_version=final.price_version,
        latency_ms=last.latency_ms + (final.latency_ms if final is not last else 0),
        ttft_ms=final.ttft_ms,
        user_id=last.user_id,
        alias=last.alias,
        stream=last.stream,
        bounded=any(row.bounded for row in rows),
        saved_micros=total("saved_micros"),
        project_id=last.project_id,
        token_id=last.token_id,
        parent_id=last.parent_id,
    )


def first_success(org_id: UUID) -> LedgerEntry | None:
    """The organization's first request that was answered, or None when there was none yet."""
    rows = _turns(org_id).filter(status__gte=200, status__lt=400).order_by("request_id")
    found = rows.values_list("request_id", flat=True).first()
    return entry(org_id, found) if found is not None else None


def last_request(org_id: UUID) -> LedgerEntry | None:
    """The organization's newest request in the ledger that asked a persona or, by another dialect, a model."""
    found = _turns(org_id).order_by("-request_id").values_list("request_id", flat=True).first()
    return entry(org_id, found) if found is not None else None


def _turns(org_id: UUID) -> QuerySet[LedgerEntryRow]:
    """Without the test calls of providers, which come by the native API and have no persona, and without rehearsals."""
    rows = LedgerEntryRow.objects.filter(org_id=org_id).exclude(surface=REHEARSAL)
    return rows.exclude(surface="v1", persona_id=None)


def month_totals(org_id: UUID, month: str | None = None) -> MonthTotals:
    """The sums of a UTC month (``YYYYMM``, default: this one)."""
    named = month or f"{clock.now():%Y%m}"
    first, after = month_bounds(named)
    rows = LedgerDailyRow.objects.filter(org_id=org_id, day__gte=first, day__lt=after)
    sums: dict[str, Any] = rows.aggregate(**{f"sum_{name}": Sum(name, default=0) for name in _SUMMED})
    return MonthTotals(month=named, **{name: int(sums[f"sum_{name}"]) for name in _SUMMED})
