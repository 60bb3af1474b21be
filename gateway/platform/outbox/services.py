"""Writing and clearing markers. ``mark`` shares the transaction of the row it points at: both exist or neither does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from django.db import connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from gateway.core.valkey.shards import shard_of
from gateway.platform.outbox.models import OutboxMarker
from gateway.platform.outbox.types import Kind
from tenants.context import current


class OutsideTransaction(RuntimeError):
    """A marker was about to be written outside the transaction of the row it announces."""


def mark(kind: Kind, refs: Iterable[UUID]) -> None:
    """Announce rows of the organization in scope. Marking twice is the same as once.

    Raises OutsideTransaction when no transaction is open: a marker on its own would announce what may never be
    committed.
    """
    org_id = current().id
    if not connection.in_atomic_block:
        raise OutsideTransaction("Mark inside transaction.atomic(), together with the row that the marker announces.")
    shard = shard_of(org_id)
    rows = [OutboxMarker(org_id=org_id, kind=kind, ref=ref, shard=shard) for ref in refs]
    OutboxMarker.objects.bulk_create(rows, ignore_conflicts=True)


def unmark(kind: Kind, refs: Iterable[UUID]) -> None:
    """Take back the markers of rows that the organization in scope has finished with."""
    OutboxMarker.objects.filter(kind=kind, org_id=current().id, ref__in=list(refs)).delete()


def clear(on: BaseDatabaseWrapper, kind: Kind, org_id: UUID, refs: Sequence[UUID] | None) -> int:
    """Delete these markers of an organization (all of the kind for None) over a batch connection; returns how many."""
    if refs is not None and not refs:
        return 0
    sql = "DELETE FROM public.outbox_marker WHERE kind = %s AND org_id = %s AND (%s OR ref = ANY(%s::uuid[]))"
    with transaction.atomic(using=on.alias), on.cursor() as cursor:
        cursor.execute(sql, [str(kind), org_id, refs is None, list(refs or ())])
        return int(cursor.rowcount)
