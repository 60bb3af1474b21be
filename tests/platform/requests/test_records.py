"""Decision records arrive by the usage stream, perhaps twice, and show to whom they concern."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gateway.core import clock, ids
from gateway.platform.requests import selectors, services
from gateway.platform.requests.types import RequestFilter, RequestRecord, decisions_of
from tenants.context import scope
from tests.factories.organizations import principal


def a_record(**changes):
    request_id = ids.uuid7()
    values = {
        "request_id": request_id, "occurred_at": ids.created_at(request_id), "surface": "v1", "status": 200,
        "state": "settled", "record": {"decisions": [{"stage": "auth", "verdict": "ok"}]}, "key_id": "key_1",
        "persona_id": "sage", "subject_id": "ana", "model": "ikiro/sandbox",
    }  # fmt: skip
    return RequestRecord(**{**values, **changes})


def _write(ref, *records):
    with scope(ref):
        return services.write_records(records)


def _page(ref, caller=None, **wanted):
    with scope(ref):
        found = selectors.list_page(RequestFilter(**wanted), limit=50, after=None, principal=caller).data
    return [record.request_id for record in found]


def test_write_records__delivered_twice__is_there_once_as_given(acme, globex):
    record = a_record()
    assert _write(acme, record, record) == 1
    assert _write(acme, record) == 1
    with scope(acme):
        assert selectors.get(record.request_id) == record
    assert _page(acme) == [record.request_id]
    with scope(globex):
        assert selectors.get(record.request_id) is None
    assert record.decisions == [{"stage": "auth", "verdict": "ok"}]


def test_write_records__truth_after_an_estimate__replaces_it(acme):
    guess = a_record(state="estimated", status=500)
    truth = a_record(request_id=guess.request_id, occurred_at=guess.occurred_at)
    _write(acme, guess)
    _write(acme, truth)
    with scope(acme):
        assert selectors.get(guess.request_id) == truth


def test_write_records__strange_text__never_stops_the_stream(acme):
    record = a_record(model="m\x00" * 100, subject_id="\ud800", record={"decisions": [{"note": "a\x00b"}]})
    _write(acme, record)
    with scope(acme):
        stored = selectors.get(record.request_id)
    assert (len(stored.model), stored.subject_id, stored.decisions) == (128, "?", [{"note": "a\ufffdb"}])


def test_write_records__nothing__does_nothing(acme):
    assert _write(acme) == 0


@pytest.mark.parametrize(
    ("record", "shown"),
    [
        ({}, []),
        ({"decisions": [{"stage": "auth"}]}, [{"stage": "auth"}]),
        ({"decisions": {"truncated": 99}}, [{"stage": "record", "verdict": "truncated", "truncated": 99}]),
    ],
)
def test_decisions_of__whatever_was_kept__is_a_list(record, shown):
    assert decisions_of(record) == shown


def test_list_page__filters__each_on_its_own(acme):
    first = a_record(
        status=429, state="estimated", surface="openai", model="m2", persona_id="iris", subject_id="ben", key_id="key_2"
    )
    second = a_record()
    _write(acme, first, second)
    for wanted in (
        {"status": 429}, {"state": "estimated"}, {"surface": "openai"}, {"model": "m2"}, {"persona_id": "iris"},
        {"subject_id": "ben"}, {"key_id": "key_2"},
    ):  # fmt: skip
        assert _page(acme, **wanted) == [first.request_id], wanted
    assert _page(acme, until=clock.now() - timedelta(hours=1)) == []
    assert sorted(_page(acme, since=clock.now() - timedelta(hours=1))) == sorted([first.request_id, second.request_id])


def test_list_page__scoped_key__sees_its_own_and_its_subjects(acme):
    caller = principal(acme, subject_ids=("ana",), persona_ids=("sage",))
    own = a_record(key_id=caller.key.public_id, subject_id=None, persona_id=None)
    covered, foreign, half = a_record(), a_record(subject_id="ben"), a_record(persona_id="iris")
    _write(acme, own, covered, foreign, half)
    assert sorted(_page(acme, caller)) == sorted([own.request_id, covered.request_id])
    nothing_allowed = principal(acme, subject_ids=())
    assert _page(acme, nothing_allowed) == []


def test_many__some_missing__gives_those_that_are_there(acme):
    record = a_record()
    _write(acme, record)
    with scope(acme):
        assert selectors.many([record.request_id, ids.uuid7()]) == {record.request_id: record}
