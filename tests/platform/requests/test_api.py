"""`/v1/requests` over the whole way: open, settled but not yet written, and in the ledger, always the same request."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from django.conf import settings
from django.db import connections
from ninja import NinjaAPI
from ninja.testing import TestAsyncClient

from gateway.core import ids
from gateway.core.endpoint import Call, Scope, declared
from gateway.core.errors import Forbidden, NotFound
from gateway.core.valkey import sync_client
from gateway.platform.admission import gate
from gateway.platform.admission.types import Settlement
from gateway.platform.ledger import services as ledger
from gateway.surfaces.v1 import requests as api
from ikiro.scheduler import trail
from tests.factories.organizations import principal

_API = NinjaAPI(urls_namespace="test-requests")
_API.add_router("", api.router)
DECISIONS = [{"stage": "auth", "verdict": "ok"}, {"stage": "limits", "verdict": "ok"}]


@pytest.fixture(autouse=True)
def empty_ledger(quiet: None) -> None:
    """No usage of other tests in the store."""
    _drain()


def _drain() -> None:
    while ledger.drain(sync_client(settings.IKIRO_REDIS_URL), connections["batch"], trail.write):
        continue


def _call(caller: Any) -> Call:
    return Call(request_id=ids.uuid7(), surface="v1", principal=caller)


def _run(*works: Any) -> list[Any]:
    """Await each on one loop with one connection to the store."""

    async def main() -> list[Any]:
        try:
            return [await work() for work in works]
        finally:
            await gate.close()

    return asyncio.run(main())


def _get(path: str, caller: Any) -> Any:
    client = TestAsyncClient(_API)

    async def ask() -> Any:
        return (await client.get(path, call=_call(caller))).json()

    return ask


def _chat(caller: Any, *, subject_id: str | None = "ana", settle: bool = True, status: int = 200) -> tuple[Call, Any]:
    call = _call(caller)
    facts = {
        "surface": "v1",
        "provider": "ikiro",
        "model": "ikiro/sandbox",
        "persona_id": "sage",
        "subject_id": subject_id,
    }

    async def work() -> None:
        lease = await gate.open_lease(call, estimate_micros=5000, tokens=100, subject_id=subject_id, facts=facts)
        if settle:
            await gate.settle(
                lease,
                Settlement(
                    status=status, outcome="ok", model="ikiro/sandbox", provider="ikiro", prompt_tokens=12,
                    completion_tokens=5, memory_recalls=3, provider_cost_micros=1000, markup_micros=200,
                    charged_micros=1200, price_version="p1", latency_ms=40, ttft_ms=9,
                    record={"decisions": DECISIONS, "persona_version": 4},
                ),
            )  # fmt: skip

    return call, work


def _public(call: Call) -> str:
    return ids.public("req", call.request_id)


def test_get_request__open_then_settled_then_written__is_there_all_the_time(acme):
    caller = principal(acme)
    opened, open_it = _chat(caller, settle=False)
    call, chat = _chat(caller)
    path = f"/requests/{_public(call)}"
    _, _, pending, before = _run(open_it, chat, _get(f"/requests/{_public(opened)}", caller), _get(path, caller))
    _drain()
    (after,) = _run(_get(path, caller))
    assert (pending["state"], pending["status"], pending["charged_micros"], pending["attempts"]) == ("open", None, 0, 0)
    assert (pending["model"], pending["subject_id"], pending["key_id"]) == (
        "ikiro/sandbox",
        "ana",
        caller.key.public_id,
    )
    assert before == after
    assert after == {
        "request_id": _public(call), "occurred_at": after["occurred_at"], "surface": "v1", "status": 200,
        "state": "settled", "outcome": "ok", "model": "ikiro/sandbox", "provider": "ikiro",
        "key_id": caller.key.public_id, "user_id": None, "persona_id": "sage", "persona_version": 4,
        "subject_id": "ana", "attempts": 1, "kind": "request", "parent_id": None, "saved_micros": 0, "decision": None,
        "bodies": [], "shadow": None,
        "usage": {
            "prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 17, "memory_recalls": 3, "cache_hit": False,
        },
        "usage_source": "provider", "provider_cost_micros": 1000, "markup_micros": 200, "charged_micros": 1200,
        "price_version": "p1", "latency_ms": 40, "ttft_ms": 9, "decisions": DECISIONS,
    }  # fmt: skip


def test_get_request__another_organizations_or_nobodys__is_unknown(acme, globex):
    call, chat = _chat(principal(acme))
    _run(chat)
    for _ in range(2):  # while admission has it, and when the ledger has
        for caller, request_id in (
            (principal(globex), _public(call)),
            (principal(acme), ids.public("req", ids.uuid7())),
        ):
            with pytest.raises(NotFound):
                _run(_get(f"/requests/{request_id}", caller))
        _drain()


def test_get_request__scoped_key__sees_its_own_and_its_subjects_only(acme):
    owner, scoped = principal(acme), principal(acme, subject_ids=("ben",))
    theirs, chat = _chat(owner, subject_id="ana")
    covered, chat_ben = _chat(owner, subject_id="ben")
    own, chat_own = _chat(scoped, subject_id=None)
    _run(chat, chat_ben, chat_own)
    _drain()
    for call in (covered, own):
        (shown,) = _run(_get(f"/requests/{_public(call)}", scoped))
        assert shown["request_id"] == _public(call)
    with pytest.raises(Forbidden) as refused:
        _run(_get(f"/requests/{_public(theirs)}", scoped))
    assert refused.value.code == "subject_not_allowed"
    (listed,) = _run(_get("/requests", scoped))
    assert sorted(row["request_id"] for row in listed["data"]) == sorted([_public(covered), _public(own)])
    assert all(row["charged_micros"] == 1200 for row in listed["data"])


def test_list_requests__filters_and_pages__newest_first_without_decisions(acme, globex):
    caller = principal(acme)
    calls, chats = zip(*[_chat(caller, subject_id=who) for who in ("ana", "ben", "ana")], strict=True)
    refused, failing = _chat(principal(acme), status=502)
    _run(*chats, failing)
    _drain()
    first, by_key, by_status, elsewhere = _run(
        _get("/requests?subject_id=ana&limit=2", caller),
        _get(f"/requests?key_id={caller.key.public_id}", caller),
        _get("/requests?status=502", caller),
        _get("/requests", principal(globex)),
    )
    # Ids of one millisecond have no order among themselves, but always the same.
    newest = sorted([_public(refused), _public(calls[0]), _public(calls[2])], reverse=True)
    assert [row["request_id"] for row in first["data"]] == newest[:2]
    assert "decisions" not in first["data"][0]
    (rest,) = _run(_get(f"/requests?subject_id=ana&limit=2&cursor={first['next_cursor']}", caller))
    assert ([row["request_id"] for row in rest["data"]], rest["next_cursor"]) == (newest[2:], None)
    assert {row["request_id"] for row in by_key["data"]} == {_public(call) for call in calls}
    assert [row["request_id"] for row in by_status["data"]] == [_public(refused)]
    assert elsewhere == {"data": [], "next_cursor": None}


def test_endpoints__are_declared_with_their_scope():
    for view in (api.list_requests, api.get_request):
        assert declared(view).scope is Scope.REQUESTS_READ
