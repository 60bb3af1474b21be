"""Records that overlays in shadow speak of: found by an index of their own, and only by who may see them."""

from __future__ import annotations

from datetime import timedelta

import msgspec
from django.db import connection

from gateway.core import clock
from gateway.platform.admission import entries
from gateway.platform.requests import selectors, services
from tenants.context import scope
from tests.factories.organizations import principal
from tests.platform.requests.test_records import a_record

TOLD = {
    "overlays": [{"name": "org", "version": 2}, {"name": "user:ana", "version": 1}],
    "refused_before": False,
    "refused_after": True,
    "changes": {"code": {"before": None, "after": "policy_refused"}},
}


def test_shadowed__of_a_window__are_those_spoken_of_with_all_calls_as_denominator(acme, globex) -> None:
    since = clock.now() - timedelta(minutes=5)
    plain, refusal = a_record(), a_record(kind="refusal")
    told = a_record(record={"decisions": [], "shadow": TOLD})
    refused = a_record(kind="refusal", subject_id="ben", record={"shadow": {**TOLD, "overlays": TOLD["overlays"][:1]}})
    with scope(acme):
        services.write_records([plain, refusal, told, refused])
        found, total = selectors.shadowed(since=since, limit=9)
        assert ([one.request_id for one in found], total) == ([refused.request_id, told.request_id], 3)
        assert (found[1].shadow, found[1].subject_id) == (TOLD, "ana")
        assert [one.request_id for one in selectors.shadowed(since=since, limit=1)[0]] == [refused.request_id]
        of_ana, _ = selectors.shadowed(since=since, limit=9, overlay="user:ana")
        assert [one.request_id for one in of_ana] == [told.request_id]
        seen, _ = selectors.shadowed(since=since, limit=9, principal=principal(acme, subject_ids=("ana",)))
        assert [one.request_id for one in seen] == [told.request_id]
        assert selectors.shadowed(since=clock.now() + timedelta(minutes=1), limit=9) == ([], 0)
    with scope(globex):
        assert selectors.shadowed(since=since, limit=9) == ([], 0)


def test_shadowed__among_many__are_found_by_their_index(acme) -> None:
    with scope(acme), connection.cursor() as cursor:
        services.write_records([a_record() for _ in range(50)])
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
        cursor.execute("EXPLAIN SELECT id FROM request_record WHERE record ? 'shadow' ORDER BY id DESC LIMIT 5")
        assert "request_record_shadowed" in str(cursor.fetchall())


def test_bounded__a_record_without_room__gives_up_the_shadow_before_any_decision() -> None:
    decisions = [{"stage": "policy", "values": ["x" * 900]}]
    record = {"decisions": decisions, "surface": "v1", "shadow": {**TOLD, "changes": {"dont": "y" * 200}}}
    kept = msgspec.json.decode(entries.bounded(record, 1_100))
    assert (kept["decisions"], list(kept["shadow"])) == (decisions, ["truncated"])
    assert msgspec.json.decode(entries.bounded(record, 4_000)) == record
