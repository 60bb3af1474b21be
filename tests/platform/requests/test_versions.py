"""What people asked of a persona's versions: without what nobody asked, and each organization's own."""

from __future__ import annotations

from datetime import timedelta

from gateway.core import clock, ids
from gateway.core.endpoint import REHEARSAL
from gateway.platform.requests import selectors, services
from tenants.context import scope
from tests.platform.requests.test_records import a_record

OF_ONE = {"decisions": [], "persona_version": 1}


def test_versions__with_rehearsals_and_replays_among_the_calls__count_people_alone(acme, globex) -> None:
    since = clock.now() - timedelta(minutes=5)
    calls = [a_record(record=OF_ONE, subject_id=subject) for subject in ("ana", "ana", "ben")]
    rehearsed = [a_record(record=OF_ONE, surface=REHEARSAL, subject_id="golden-prompts", status=500) for _ in range(4)]
    replayed = a_record(record=OF_ONE, parent_id=ids.uuid7(), subject_id="cleo")
    with scope(acme):
        services.write_records([*calls, *rehearsed, replayed])
        found = selectors.by_persona_version("sage", (1, 2), since=since, until=None)
        assert {version: (use.calls, use.subjects, use.errors) for version, use in found.items()} == {1: (3, 2, 0)}
        # What-if and shadow reports look at what was sent, again or not; a rehearsal nobody sent.
        assert selectors.kept_inputs(since=since, limit=9)[1] == 4
        assert selectors.shadowed(since=since, limit=9)[1] == 4
    with scope(globex):
        services.write_records(rehearsed[:1])
        assert selectors.by_persona_version("sage", (1, 2), since=since, until=None) == {}
        assert selectors.kept_inputs(since=since, limit=9) == ([], 0)
