"""What a migration does to memories that are there already."""

from __future__ import annotations

from importlib import import_module

from django.db import connection

from gateway.knowledge.memory.models import MemoryRow, MemorySource
from tenants.context import scope
from tests.knowledge.memory.support import ask, person, remember, texts

_LOWER = import_module("gateway.knowledge.memory.migrations.0005_collections_in_lower_case")


def test_collections_in_mixed_case__migrated_twice__are_found_in_any(acme) -> None:
    with scope(acme):
        _migrate_mixed_case()


def _migrate_mixed_case() -> None:
    ann = person("ann")
    tea = remember(ann, "Likes tea", source="gmail")
    MemoryRow.objects.filter(pk=tea.id).update(memory_scope="Gmail")
    for source, ref in (("Gmail", ""), ("Notes", "n1"), ("NOTES", "n1")):
        MemorySource.objects.create(memory_id=tea.id, source=source, ref=ref, position=9, observed_at=tea.recorded_at)
    assert texts(ask(ann, "tea", memory_scopes=("gmail",))) == []
    for _ in range(2):
        for operation in _LOWER.Migration.operations:
            with connection.cursor() as cursor:
                cursor.execute(operation.sql)
    assert texts(ask(ann, "tea", memory_scopes=("GMAIL",))) == ["Likes tea"]
    kept = MemorySource.objects.filter(memory_id=tea.id).values_list("source", flat=True)
    assert sorted(kept) == ["Gmail", "NOTES", "Notes", "gmail"]  # never two of one name: what would clash stays
