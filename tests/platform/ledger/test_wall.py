"""The public tables that hold what organizations did: with every WHERE dropped, still one organization only."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import ProgrammingError, connection, connections, transaction

from gateway.core import ids
from gateway.core.journal import Event
from gateway.platform.events.services import emit
from gateway.platform.ledger import writer
from gateway.platform.receipts import services as receipts
from gateway.platform.receipts.types import ReceiptKind
from tenants.context import public_scope, scope
from tests.factories.organizations import acme, committed_database, globex, quiet
from tests.platform.ledger.support import arrival

__all__ = ["acme", "committed_database", "globex", "quiet"]
# Of the public tables those with rows of an organization that a request may read; the directory is every worker's.
_TABLES = """
SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = 'org_id'
WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname !~ '^tenants_'
ORDER BY 1
"""


def _rows(sql: str) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())


def test_public_tables__read_without_a_where__show_one_organization_only(acme: Any, globex: Any) -> None:
    for ref in (acme, globex):
        with transaction.atomic(using="batch"):
            assert writer.write(connections["batch"], [arrival(ref.id)]) == []
        with scope(ref), transaction.atomic():
            emit([Event("plan.changed", {"from": "free", "to": "pro"})])
            receipts.issue(ReceiptKind.SUBJECT_ERASED, {}, organization=ref, source=ids.uuid7())
    with public_scope():
        walled = dict(_rows(_TABLES))
    assert walled == dict.fromkeys(
        ("ledger_daily", "ledger_entry", "ledger_hourly", "ledger_subject_daily", "outbox_marker", "receipt"), True
    )
    for table in walled:
        for ref in (acme, globex):
            with scope(ref):
                assert _rows(f"SELECT DISTINCT org_id FROM public.{table}") == [(ref.id,)], table
        with public_scope():
            assert _rows(f"SELECT count(*) FROM public.{table}") == [(0,)], table


_LEDGER = ("ledger_entry", "ledger_daily", "ledger_hourly", "ledger_subject_daily", "ledger_rollup_due")


@pytest.mark.parametrize("table", _LEDGER)
def test_ledger__written_by_the_request_role__is_refused(acme: Any, table: str) -> None:
    columns = "day" if table == "ledger_rollup_due" else "org_id"
    for sql in (f"DELETE FROM public.{table}", f"UPDATE public.{table} SET {columns} = {columns}"):
        with pytest.raises(ProgrammingError, match="permission denied"), scope(acme), transaction.atomic():
            _rows(f"{sql} RETURNING 1")


def test_entries__changed_or_deleted_by_the_batch_role__is_refused(acme: Any) -> None:
    for sql in ("DELETE FROM public.ledger_entry", "UPDATE public.ledger_entry SET calls = 0"):
        with (
            pytest.raises(ProgrammingError, match="permission denied"),
            transaction.atomic(using="batch"),
            connections["batch"].cursor() as cursor,
        ):
            cursor.execute(sql)


def test_outbox__marker_for_another_organization__is_refused(acme: Any, globex: Any) -> None:
    sql = (
        "INSERT INTO public.outbox_marker (org_id, kind, ref, shard, created_at)"
        f" VALUES ('{globex.id}', 'event', '{ids.uuid7()}', 0, now()) RETURNING id"
    )
    with pytest.raises(ProgrammingError, match="row-level security"), scope(acme), transaction.atomic():
        _rows(sql)
