"""Reads of the markers over a batch connection, which is handed in because it is not the request's."""

from __future__ import annotations

from uuid import UUID

from django.db.backends.base.base import BaseDatabaseWrapper

from gateway.platform.outbox.types import Kind


def pending_orgs(on: BaseDatabaseWrapper, kind: Kind, limit: int, after: UUID | None = None) -> list[UUID]:
    """Organizations with a marker of this kind, by id, at most ``limit`` after ``after`` (a keyset, so that none
    starves
    another).

    A loose index scan: its cost grows with the organizations found, not with their markers.
    """
    sql = """
        WITH RECURSIVE found(org_id, n) AS (
            (SELECT m.org_id, 1 FROM public.outbox_marker m
              WHERE m.kind = %(kind)s AND (%(after)s::uuid IS NULL OR m.org_id > %(after)s::uuid)
              ORDER BY m.org_id LIMIT 1)
            UNION ALL
            SELECT (SELECT m.org_id FROM public.outbox_marker m
                     WHERE m.kind = %(kind)s AND m.org_id > found.org_id ORDER BY m.org_id LIMIT 1), found.n + 1
              FROM found WHERE found.org_id IS NOT NULL AND found.n < %(limit)s
        )
        SELECT org_id FROM found WHERE org_id IS NOT NULL ORDER BY org_id
    """
    with on.cursor() as cursor:
        cursor.execute(sql, {"kind": str(kind), "after": after, "limit": limit})
        return [row[0] for row in cursor.fetchall()]


def refs(on: BaseDatabaseWrapper, kind: Kind, org_id: UUID, *, limit: int = 1_000) -> list[UUID]:
    """At most ``limit`` committed markers of one organization, in the order of what they announce."""
    with on.cursor() as cursor:
        cursor.execute(
            "SELECT ref FROM public.outbox_marker WHERE kind = %s AND org_id = %s ORDER BY ref LIMIT %s",
            [str(kind), org_id, limit],
        )
        return [row[0] for row in cursor.fetchall()]
