"""What an update makes of proposals that were made before it."""

from __future__ import annotations

from importlib import import_module

from django.db import connection, transaction

from gateway.core import ids
from gateway.governance.proposals.models import ProposalRow
from tenants.context import scope
from tests.governance.proposals.support import draft, propose

STEP = import_module("gateway.governance.proposals.migrations.0003_reach_and_rules")


def test_backfill__proposals_of_before__get_their_collection_and_whether_rules_were_asked(acme, globex):
    made = {
        propose(acme, draft(source="gmail:7", conversation_id=ids.uuid7())).id: ("gmail", True),
        propose(acme, draft(source=" :7", payload={"text": "x"})).id: ("chat", False),
    }
    other = propose(globex).id
    with scope(acme), transaction.atomic():
        for fields, expected in (
            ({"type": "memory.upsert", "payload": {"text": "x", "memory_scope": " notes "}}, ("notes", False)),
            ({"type": "memory.forget"}, (None, False)),
        ):
            made[(one := propose(acme)).id] = expected
            ProposalRow.objects.filter(pk=one.id).update(**fields)
        ProposalRow.objects.update(memory_scope=None, rules_asked=False)
        for _ in range(2):  # once more changes nothing
            with connection.cursor() as cursor:
                cursor.execute(STEP._BACKFILL)
            rows = ProposalRow.objects.values_list("id", "memory_scope", "rules_asked")
            assert {pk: (name, asked) for pk, name, asked in rows} == made
    with scope(globex):
        assert ProposalRow.objects.get(pk=other).memory_scope == "chat"
