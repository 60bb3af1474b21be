"""Chaining committed entries: one sealer per organization at a time, each batch one transaction.

An advisory lock of the transaction keeps a second sealer out; it is free again the moment the first commits or dies,
and a killed sealer leaves nothing half done. Entries are chained in id order as far as they are committed; one that
commits later with an older id gets a later place. The work is found through the outbox markers, but every unsealed
entry is taken, marker or not (a restored organization brings none).
"""

from __future__ import annotations

import hashlib
from uuid import UUID

import structlog
from django.db import InterfaceError, OperationalError, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg import sql

from gateway.platform.audit.canonical import first_link, next_link
from gateway.platform.outbox import selectors as outbox_selectors
from gateway.platform.outbox import services as outbox_services
from gateway.platform.outbox import sweeps
from gateway.platform.outbox.types import Kind
from tenants.types import OrgRef

log = structlog.get_logger(__name__)
BATCH = 500


def sweep(batch: BaseDatabaseWrapper) -> int:
    """Seal every organization that has audit markers; returns how many entries. Runs outside a scope, on the batch
    role's connection.

    One organization's trouble is logged and does not keep the others waiting; a lost database is raised.
    """
    sealed = 0
    for ref in sweeps.organizations(batch, Kind.AUDIT):
        try:
            sealed += seal(ref, batch)
        except (OperationalError, InterfaceError):
            raise
        except Exception:
            log.exception("audit.sealing_failed", organization=ref.public_id)
    return sealed


def seal(ref: OrgRef, on: BaseDatabaseWrapper) -> int:
    """Chain one organization's committed entries; returns how many. 0 when another sealer is at it."""
    total = 0
    while True:
        sealed, more = _seal_batch(ref, on)
        total += sealed
        if not more:
            return total


def _seal_batch(ref: OrgRef, on: BaseDatabaseWrapper) -> tuple[int, bool]:
    """One batch in one transaction: how many entries it chained, and whether more may be waiting."""
    table = sql.Identifier(ref.schema, "audit_entry")
    with transaction.atomic(using=on.alias), on.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_lock_key(ref.id)])
        if not cursor.fetchone()[0]:
            return 0, False
        # Read the markers first: the entry of each was committed with it, so the next statement sees it.
        marked = outbox_selectors.refs(on, Kind.AUDIT, ref.id, limit=2 * BATCH)
        cursor.execute(
            sql.SQL("SELECT id, content_hash FROM {} WHERE seq IS NULL ORDER BY id LIMIT %s").format(table), [BATCH]
        )
        rows = cursor.fetchall()
        cursor.execute(
            sql.SQL("SELECT seq, chain_hash FROM {} WHERE seq IS NOT NULL ORDER BY seq DESC LIMIT 1").format(table)
        )
        seq, head = cursor.fetchone() or (0, first_link(ref.id))
        ids, seqs, prevs, chains = [], [], [], []
        for entry_id, content in rows:
            seq, prev, head = seq + 1, bytes(head), next_link(bytes(head), bytes(content))
            ids.append(entry_id)
            seqs.append(seq)
            prevs.append(prev)
            chains.append(head)
        if ids:
            cursor.execute(
                sql.SQL(
                    "UPDATE {} AS a SET seq = s.seq, prev_hash = s.prev, chain_hash = s.chain"
                    " FROM unnest(%s::uuid[], %s::bigint[], %s::bytea[], %s::bytea[]) AS s(id, seq, prev, chain)"
                    " WHERE a.id = s.id"
                ).format(table),
                [ids, seqs, prevs, chains],
            )
        more = len(rows) == BATCH
        outbox_services.clear(on, Kind.AUDIT, ref.id, ids if more else [*marked, *ids])
        return len(ids), more


def _lock_key(org_id: UUID) -> int:
    """The advisory lock's 64-bit number of an organization."""
    return int.from_bytes(hashlib.sha256(b"audit.seal" + org_id.bytes).digest()[:8], "big", signed=True)
