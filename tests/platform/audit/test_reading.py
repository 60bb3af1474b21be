"""Who may list what, and through the API."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from django.db import transaction
from ninja import NinjaAPI
from ninja.testing import TestAsyncClient

from gateway.core import clock, ids
from gateway.core.endpoint import Call, Scope, declared
from gateway.core.errors import Forbidden
from gateway.core.journal import Actor, Change, record
from gateway.platform.audit import api, selectors
from gateway.platform.audit.types import AuditFilter
from tenants.context import scope
from tests.factories.organizations import principal


def _write(ref, action, **facts):
    with scope(ref), transaction.atomic():
        record(Change(action, facts.pop("actor", Actor("key", "key_1")), facts.pop("target", "t"), **facts))


@pytest.fixture
def history(acme):
    _write(acme, "write.approved", subject_id="ana", persona_id="sage")
    _write(acme, "write.rejected", subject_id="ben", persona_id="sage", actor=Actor("user", "usr_1"))
    _write(acme, "writer.made", subject_id="ana", persona_id="iris")
    _write(acme, "key.created")
    return acme


def _actions(ref, caller=None, **wanted):
    with scope(ref):
        found = selectors.list_page(AuditFilter(**wanted), limit=50, after=None, principal=caller)
    return sorted(entry.action for entry in found.data)


def test_list_page__filters__each_on_its_own(history):
    assert _actions(history, action="write.approved") == ["write.approved"]
    assert _actions(history, action="write.*") == ["write.approved", "write.rejected"]
    assert _actions(history, subject_id="ana") == ["write.approved", "writer.made"]
    assert _actions(history, persona_id="iris") == ["writer.made"]
    assert _actions(history, actor="usr_1") == ["write.rejected"]
    assert _actions(history, actor="key:usr_1") == []
    assert _actions(history, until=clock.now() - timedelta(hours=1)) == []
    assert len(_actions(history, since=clock.now() - timedelta(hours=1), until=clock.now())) == 4


def test_list_page__scoped_key__sees_its_own_and_is_refused_others(history):
    caller = principal(history, subject_ids=("ana",), persona_ids=("sage",))
    assert _actions(history, caller) == ["write.approved"]
    with pytest.raises(Forbidden) as refused:
        _actions(history, caller, subject_id="ben")
    assert refused.value.code == "subject_not_allowed"
    with pytest.raises(Forbidden) as refused:
        _actions(history, caller, persona_id="iris")
    assert refused.value.code == "persona_not_allowed"


def test_list_page__another_organization__sees_nothing(history, globex):
    assert _actions(globex) == []


def test_list_page__pages__cover_everything_once(history):
    seen, after = [], None
    with scope(history):
        while True:
            found = selectors.list_page(AuditFilter(), limit=3, after=after)
            seen += [entry.id for entry in found.data]
            if found.next_cursor is None:
                break
            after = found.data[-1].id
    assert len(seen) == len(set(seen)) == 4
    assert seen == sorted(seen, reverse=True)


def _get(path, caller):
    client = TestAsyncClient(_API)
    call = Call(request_id=ids.uuid7(), surface="v1", principal=caller)
    answer = asyncio.run(client.get(path, call=call))
    return answer, call


_API = NinjaAPI(urls_namespace="test-audit")
_API.add_router("", api.router)


def test_get_audit__answers_wire_shape_and_is_itself_noted(history):
    answer, call = _get("/audit?subject_id=ana&action=write.*&limit=1", principal(history))
    assert answer.status_code == 200
    body = answer.json()
    (entry,) = body["data"]
    assert entry["id"].startswith("aud_")
    assert entry["actor"] == {"kind": "key", "id": "key_1"}
    assert (entry["action"], entry["subject_id"], entry["sealed"], body["next_cursor"]) == (
        "write.approved",
        "ana",
        False,
        None,
    )
    assert [read["action"] for read in call.reads] == ["audit.read"]


@pytest.mark.parametrize("query", ["action=write.**", "action=%25", f"subject_id={'s' * 129}", "since=yesterday"])
def test_get_audit__bad_filter__is_refused_naming_it(acme, query):
    answer, _ = _get(f"/audit?{query}", principal(acme))
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"][-1] == query.partition("=")[0]


def test_get_verify__answers_the_figures(history):
    answer, call = _get("/audit/verify", principal(history))
    body = answer.json()
    assert (body["ok"], body["sealed"], body["unsealed"], body["first_bad_seq"]) == (True, 0, 4, None)
    assert len(body["head_hash"]) == 64
    assert [read["action"] for read in call.reads] == ["audit.verified"]


def test_endpoints__are_declared_with_scope_and_flag():
    for view in (api.list_audit, api.verify_audit):
        assert (declared(view).scope, declared(view).flag) == (Scope.AUDIT_READ, "enable_audit_api")
