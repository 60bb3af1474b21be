"""Taking sources away from memories that have others: what is cited next is a source that is still there."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

from django.db import connection

from gateway.knowledge.memory import storage

_DROP = """
DELETE FROM memory_source WHERE source = %(source)s AND (memory_id, ref) IN (
    SELECT * FROM unnest(%(memories)s::uuid[], %(refs)s::text[]))
"""
# Position 0 is the one that is cited, so the rest moves up.
_RENUMBER = """
UPDATE memory_source s SET position = n.place - 1 FROM (
    SELECT memory_id, source, ref, row_number() OVER (PARTITION BY memory_id ORDER BY position, source, ref) AS place
    FROM memory_source WHERE memory_id = ANY(%(memories)s::uuid[])) AS n
WHERE s.memory_id = n.memory_id AND s.source = n.source AND s.ref = n.ref AND s.position <> n.place - 1
"""


def withdraw(subject_pk: UUID, source: str, gone: Collection[tuple[UUID, str]]) -> None:
    """Take ``gone`` (memory, reference) of one source away. Each memory must have another source; one with none is
    forgotten instead. Inside the transaction in which the caller holds the subject (``storage.lock``)."""
    if not gone:
        return
    values: dict[str, Any] = {"source": source, "memories": [one for one, _ in gone], "refs": [ref for _, ref in gone]}
    with connection.cursor() as cursor:
        cursor.execute(_DROP, values)
        cursor.execute(_RENUMBER, values)
    storage.touch(subject_pk)
