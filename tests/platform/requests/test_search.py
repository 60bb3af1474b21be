"""The search in front of the table: what each term finds, how it reads, and that a limit in time holds."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection, transaction

from gateway.core import clock, ids
from gateway.core.journal import Actor
from gateway.platform.requests import selectors, services, tasks
from gateway.platform.requests.errors import SearchTooSlow
from gateway.platform.requests.models import RequestRow
from gateway.platform.requests.query import parse
from gateway.platform.requests.selectors.records import limited, matching
from gateway.platform.requests.types import BodyDraft, Part, RequestFilter, RequestRecord
from tenants import services as directory
from tenants.context import scope
from tests.factories.organizations import principal

EVERYTHING = RequestFilter()


def a_record(request_id=None, **changes):
    request_id = request_id or ids.uuid7()
    values = {
        "request_id": request_id, "occurred_at": ids.created_at(request_id), "surface": "v1", "status": 200,
        "state": "settled", "key_id": "key_1", "persona_id": "sage", "subject_id": "ana", "model": "openai/gpt-4o",
        "provider": "openai", "outcome": "ok", "latency_ms": 300, "charged_micros": 1_000, "cached": False,
    }  # fmt: skip
    return RequestRecord(**{**values, **changes})


def found(ref, q, caller=None, **wanted):
    with scope(ref):
        page = selectors.search(parse(q), RequestFilter(**wanted), limit=50, after=None, principal=caller)
    return [record.request_id for record in page.data]


@pytest.fixture
def records(acme):
    """By name, written to acme; an old one, too."""
    old = ids.uuid7_at(int((clock.now() - timedelta(days=3)).timestamp() * 1000), 5)
    made = {
        "plain": a_record(),
        "refused": a_record(status=403, kind="refusal", state="refused", outcome="scope_missing", model=None,
                            persona_id=None, subject_id=None, latency_ms=None, charged_micros=None, cached=None),
        "slow": a_record(latency_ms=2_500, model="ikiro/sandbox", provider="ikiro"),
        "dear": a_record(charged_micros=25_000, user_id="usr_9", key_id=None),
        "cached": a_record(cached=True, subject_id="100%_sure", surface="openai"),
        "old": a_record(old, outcome="upstream_error", status=502),
    }  # fmt: skip
    made["replay"] = a_record(parent_id=made["plain"].request_id)
    with scope(acme):
        services.write_records(made.values())
    return made


@pytest.mark.parametrize(
    ("q", "names"),
    [
        ("status:>=400", "refused old"),
        ("status:4xx,502", "refused old"),
        ("-status:>=400 -model:ikiro/*", "plain dear cached replay"),
        ("model:ikiro/*", "slow"),
        ("model:*gpt*", "plain dear cached old replay"),
        ("model:*", "plain slow dear cached old replay"),
        ("-model:openai/gpt-4o", "refused slow"),
        ("latency:>2s", "slow"),
        ("latency:..2s", None),
        ("cost:>0.01", "dear"),
        ("cost:0.001..0.02", "plain slow cached old replay"),
        ("user:usr_9", "dear"),
        ("key:key_1 status:200", "plain slow cached replay"),
        ("cached:true", "cached"),
        ('subject:"100%_sure"', "cached"),
        ("subject:100*", "cached"),
        ("subject:1*_s*", "cached"),
        ("surface:openai", "cached"),
        ("kind:refusal", "refused"),
        ("state:refused", "refused"),
        ("code:scope_missing,upstream_error", "refused old"),
        ("since:1d status:>=400", "refused"),
        ("until:1d", "old"),
        ("upstream", "old"),
        ("-sandbox -missing -upstream status:<500", "plain dear cached replay"),
        ("provider:ikiro", "slow"),
    ],
)
def test_search__each_term__finds_exactly_these_newest_first(acme, globex, records, q, names):
    if names is None:
        with pytest.raises(ValueError, match="latency"):
            try:
                parse(q)
            except Exception as error:
                raise ValueError(str(error)) from None
        return
    expected = sorted((records[name].request_id for name in names.split()), reverse=True)
    assert found(acme, q) == expected
    assert found(globex, q) == []


def test_search__by_request__takes_an_id_its_beginning_or_its_parent(acme, records):
    plain = records["plain"].public_id
    assert found(acme, plain) == [records["plain"].request_id]
    assert found(acme, records["old"].public_id[:16]) == [records["old"].request_id]
    assert found(acme, "req_zzzz") == []
    assert found(acme, f"parent:{plain}") == [records["replay"].request_id]


def test_search__narrowed_key__finds_no_other_subject_whatever_it_asks(acme, records):
    caller = principal(acme, subject_ids=("100%_sure",))
    assert found(acme, "status:>=100", caller) == [records["cached"].request_id]
    with scope(acme):
        facets, looked_at = selectors.facets(caller)
    assert looked_at == 1
    assert dict(facets[[facet.field for facet in facets].index("subject")].values) == {"100%_sure": 1}


def test_search__that_takes_too_long__says_how_to_narrow_it(acme):
    def slowly():
        with scope(acme), limited(50), connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(5)")

    with pytest.raises(SearchTooSlow) as refused:
        slowly()
    assert (refused.value.code, refused.value.http_status) == ("search_too_slow", 503)


@pytest.mark.parametrize(
    ("q", "index"),
    [
        ("status:>=400", "request_record_errors"),
        ("latency:>2s", "request_record_slow"),
        ("cost:>0.01", "request_record_dear"),
        ("subject:someone", "request_record_by_subject"),
        ("code:rate_limited", "request_record_by_code"),
        ("since:24h", "request_record_pkey"),
    ],
)
def test_search__what_is_rare__is_reached_by_an_index_in_order(acme, q, index):
    with scope(acme), transaction.atomic():
        rows = matching(parse(q), EVERYTHING, None).order_by("-id")[:51]
        with connection.cursor() as cursor:
            # Few rows make every plan cheap; whether the index can serve the search is what is asked.
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("SET LOCAL enable_bitmapscan = off")
            cursor.execute("SET LOCAL enable_sort = off")
        plan = rows.explain()
    assert index in plan, plan
    assert "Sort" not in plan, plan


def test_tail__by_writing_order__sees_late_writers_once_and_goes_on(acme, globex):
    early, late = ids.uuid7(), ids.uuid7()
    with scope(acme):
        services.write_records([a_record(late)])
        began = selectors.last_written()
        services.write_records([a_record(early), a_record(status=500)])
        got, upto = selectors.written_after(began, parse("status:200"), EVERYTHING, limit=10, principal=None)
        assert [record.request_id for record in got] == [early]
        assert selectors.written_after(upto, parse(""), EVERYTHING, limit=10, principal=None) == ([], upto)
        one, step = selectors.written_after(0, parse(""), EVERYTHING, limit=1, principal=None)
        assert [record.request_id for record in one] == [late]
        assert step == began
    with scope(globex):
        assert selectors.written_after(0, parse(""), EVERYTHING, limit=10, principal=None)[0] == []


def test_retain__old_records__go_in_batches_and_only_here(acme, globex, records, monkeypatch):
    monkeypatch.setattr("gateway.platform.requests.services.retention.BATCH", 2)
    long_ago = [ids.uuid7_at(1_700_000_000_000 + number, number) for number in range(5)]
    for ref in (acme, globex):
        with scope(ref):
            services.write_records(a_record(one) for one in long_ago)
    with scope(acme):
        assert services.retain(record_days=30, body_days=None, batches=2)
        assert not services.retain(record_days=30, body_days=None)
        assert set(RequestRow.objects.values_list("id", flat=True)) == {one.request_id for one in records.values()}
    with scope(globex):
        assert RequestRow.objects.count() == 5


def test_retain_task__by_the_organizations_settings__keeps_what_it_wants_kept(acme):
    changed = {"request_retention_days": 1, "store_bodies": True, "body_retention_days": 2}
    directory.settings_change(acme, actor=Actor("operator", "cli"), **changed)
    old, new = ids.uuid7_at(int((clock.now() - timedelta(days=2)).timestamp() * 1000), 1), ids.uuid7()
    draft = BodyDraft(new, Part.REQUEST, "/v1/chat", "application/json", "kept", 4, truncated=False)
    with scope(acme):
        services.write_records([a_record(old), a_record(new)])
        services.store_bodies([draft], days=2)
        tasks.retain.work(acme)
        assert list(RequestRow.objects.values_list("id", flat=True)) == [new]
        assert selectors.parts(new) == ("request",)
    directory.settings_change(acme, actor=Actor("operator", "cli"), store_bodies=None)
    with scope(acme):
        tasks.retain.work(acme)
        assert selectors.parts(new) == ()
