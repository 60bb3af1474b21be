"""What routed calls cost: an entry for each attempt, a limit under a hard budget, and nothing for a kept answer."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest

from gateway.core import ids
from tests.engine.routing.test_over_http import WITHIN_S, acme, ask, globex, provider, route, routed, scenarios, shown
from tests.factories.organizations import raw_parameters
from tests.harness import Gateway, eventually

__all__ = ["acme", "globex"]
COLUMNS = "attempt, outcome, model, prompt_tokens, charged_micros, calls"


def entries(answer: httpx.Response, count: int) -> list[tuple[Any, ...]]:
    """The ledger's rows of one request, once there are ``count``."""
    request_id: UUID = ids.parse("req", answer.headers["x-request-id"])

    def found() -> list[tuple[Any, ...]]:
        with psycopg.connect(**raw_parameters(), autocommit=True) as owner:
            sql = f"SELECT {COLUMNS} FROM public.ledger_entry WHERE request_id = %s ORDER BY attempt"
            rows = owner.execute(sql, [request_id]).fetchall()
        assert len(rows) == count, rows
        return rows

    return list(eventually(found, within=WITHIN_S))


def key(client: httpx.Client, **fields: Any) -> str:
    made = client.post("/v1/keys", json={"name": f"k{secrets.token_hex(3)}", **fields})
    assert made.status_code == 201, made.text
    return str(made.json()["secret"])


def test_attempts__of_one_call__are_an_entry_each_as_the_upstream_counted(acme, upstream):
    one, two = provider(acme, upstream.base_url)[0], provider(acme, upstream.base_url)[0]
    route(acme, f"{one}/fake:status,code=500", f"{two}/fake:flaky,code=503,retry_after_ms=1,tag={secrets.token_hex(3)}")
    answer = ask(acme)
    assert answer.status_code == 200
    rows = entries(answer, 3)
    assert len(upstream.calls()) == 3
    assert [(row[0], row[1]) for row in rows] == [(1, "upstream_error"), (2, "upstream_error"), (3, "ok")]
    assert [row[2] for row in rows] == [f"{one}/fake:status,code=500", *[rows[2][2]] * 2]
    assert ([row[3] for row in rows[:2]], rows[2][3] > 0) == ([0, 0], True)
    assert [row[5] for row in rows] == [0, 0, 1]


def test_attempt__that_timed_out__is_an_entry_with_its_prompt_as_estimated(acme, upstream):
    name = provider(acme, upstream.base_url)[0]
    route(acme, f"{name}/fake:stall-first", f"{name}/fake:normal", timeouts={"first_token_s": 1})
    answer = ask(acme, stream=True, messages=[{"role": "user", "content": "x" * 400}])
    first, second = entries(answer, 2)
    assert (first[1], first[3] >= 100, second[1]) == ("upstream_timeout", True, "ok")


@pytest.mark.parametrize("stream", [False, True])
def test_hard_budget__without_max_tokens__sends_what_the_money_pays_for_and_says_so(gateway, acme, upstream, stream):
    budget = {"limit_micros": 2_000, "window": "day", "hard": True}
    with gateway.acme.client(key(acme, budget=budget)) as narrow:
        answer = ask(narrow, "openai/gpt-4o-mini", stream=stream)
        assert answer.status_code == 200, answer.text
        sent = upstream.calls()[0]["body"]
        applied = int(answer.headers["x-max-tokens-applied"])
        assert applied == sent.get("max_tokens", sent.get("max_completion_tokens"))
        assert 1 <= applied < 4_000  # 0.60 dollars per million tokens and the markup
        budgeted = next(one for one in shown(acme, answer)["decisions"] if one["stage"] == "budget")
        assert budgeted["max_tokens_applied"] == applied
        given = ask(narrow, "openai/gpt-4o-mini", max_tokens=7)
        assert (given.status_code, "x-max-tokens-applied" in given.headers) == (200, False)
        seen = len(upstream.calls())
        refused = ask(narrow, "openai/gpt-4o-mini", max_tokens=1_000_000)
        assert (refused.status_code, refused.json()["error"]["code"]) == (402, "budget_exceeded")
        assert len(upstream.calls()) == seen
    assert "x-max-tokens-applied" not in ask(acme, "openai/gpt-4o-mini").headers


def test_hard_budget__stream_that_ignores_its_limit__is_cut_off_and_charged_no_more_than_held(gateway, acme, upstream):
    upstream.script("normal", chunks=3000, pace_ms=2)
    with gateway.acme.client(key(acme, budget={"limit_micros": 5_000, "window": "day", "hard": True})) as narrow:
        answer = ask(narrow, "openai/gpt-4o-mini", stream=True, max_tokens=5)
        assert ('"finish_reason":"length"' in answer.text, answer.text.endswith("data: [DONE]\n\n")) == (True, True)
        upstream.wait_for(lambda calls: calls[0]["disconnected"], seconds=WITHIN_S)
        assert not upstream.calls()[0]["finished"]
    ((_, outcome, _, _, charged, _),) = entries(answer, 1)
    # The body's bytes as tokens at 0.15 dollars per million, five tokens at 0.60, and the markup.
    assert (outcome, 0 < charged <= 30) == ("ok", True)


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses", "/v1/messages", "/v1/chat"])
def test_key__narrowed_to_models__is_held_to_them_in_every_dialect(gateway, acme, upstream, path):
    with gateway.acme.client(key(acme, models=["ikiro/sandbox"])) as narrow:
        body: dict[str, Any] = {"model": "openai/fake:normal", "messages": [{"role": "user", "content": "hi"}]}
        if path == "/v1/responses":
            body = {"model": body["model"], "input": "hi"}
        elif path == "/v1/messages":
            body["max_tokens"] = 5
        elif path == "/v1/chat":
            body |= {"persona_id": "brand-default", "subject_id": "u_1"}
        refused = narrow.post(path, json=body, headers={"anthropic-version": "2023-06-01"})
        assert (refused.status_code, "model_not_allowed" in refused.text) == (403, True)
        assert upstream.calls() == []
        listed = [one["id"] for one in narrow.get("/v1/models").json()["data"]]
        assert listed == ["ikiro/sandbox"]
        assert narrow.get("/v1/models/openai/whatever").status_code == 404


def test_persona__first_target_down__is_answered_by_the_next(acme, upstream):
    name = provider(acme, upstream.base_url)[0]
    route(acme, f"{name}/fake:status,code=500", f"{name}/fake:normal")
    turn = {"model": "route", "persona_id": "brand-default", "subject_id": "u_1"}
    answer = acme.post("/v1/chat", json={**turn, "messages": [{"role": "user", "content": "hi"}]})
    assert (answer.status_code, answer.json()["model"]) == (200, f"{name}/fake:normal")
    assert len(entries(answer, 2)) == len(upstream.calls()) == 2


@pytest.mark.parametrize("stream", [False, True])
def test_cache__same_bytes_again__cost_nothing_and_belong_to_one_organization(acme, globex, upstream, stream):
    model = "openai/gpt-4o-mini"
    text = [{"role": "user", "content": secrets.token_hex(8)}]
    for client in (acme, globex):
        client.put("/v1/models/aliases/kept", json={"targets": [{"model": model}], "cache_s": 60})
    first = ask(acme, "kept", messages=text, stream=stream)
    second = ask(acme, "kept", messages=text, stream=stream)
    assert [one.headers["x-cache"] for one in (first, second)] == ["miss", "hit"]
    assert (first.content, len(upstream.calls())) == (second.content, 1)
    ((_, outcome, billed, _, charged, calls),) = entries(second, 1)
    assert (outcome, billed, charged, calls) == ("ok", model, 0, 1)
    kept = next(one for one in shown(acme, second)["decisions"] if one["stage"] == "cache")
    assert (kept["hit"], kept["saved_micros"] > 0) == (True, True)
    assert ask(globex, "kept", messages=text, stream=stream).headers["x-cache"] == "miss"
    for word in ("no-store", "no-cache"):
        body = {"model": "kept", "messages": text, "stream": stream}
        around = acme.post("/v1/chat/completions", json=body, headers={"cache-control": word})
        assert "x-cache" not in around.headers
    assert len(upstream.calls()) == 4
    assert "x-cache" not in ask(acme, model, messages=text, stream=stream).headers


def test_cache__key_that_may_not_use_the_model__is_refused_although_the_answer_is_kept(
    gateway: Gateway, acme, upstream
):
    text = [{"role": "user", "content": secrets.token_hex(8)}]
    acme.put("/v1/models/aliases/kept", json={"targets": [{"model": "openai/gpt-4o-mini"}], "cache_s": 60})
    assert ask(acme, "kept", messages=text).status_code == 200
    with gateway.acme.client(key(acme, models=["ikiro/sandbox"])) as narrow:
        assert ask(narrow, "kept", messages=text).json()["error"]["code"] == "model_not_allowed"


def test_cache__failed_answer__is_not_kept(acme, upstream):
    text = [{"role": "user", "content": secrets.token_hex(8)}]
    name = provider(acme, upstream.base_url)[0]
    target = f"{name}/fake:cut,after=3"
    acme.put("/v1/models/aliases/kept", json={"targets": [{"model": target}], "cache_s": 60})
    for _ in range(2):
        assert ask(acme, "kept", messages=text, stream=True).headers["x-cache"] == "miss"
    assert scenarios(upstream) == ["fake:cut,after=3"] * 2


def test_hard_budget__buffered_answer_beyond_its_limit__is_charged_what_was_held_and_shows_the_rest(
    gateway, acme, upstream
):
    upstream.script("normal", chunks=3000)
    with gateway.acme.client(key(acme, budget={"limit_micros": 5_000, "window": "day", "hard": True})) as narrow:
        answer = ask(narrow, "openai/gpt-4o-mini", max_tokens=5)
    assert answer.status_code == 200
    price = next(one for one in shown(acme, answer)["decisions"] if one["stage"] == "price")
    assert (price["bounded"], 0 < price["charged_micros"] <= 30, price["full_micros"] > 1_000) == (True, True, True)
    assert entries(answer, 1)[0][4] == price["charged_micros"]


def test_token__narrowed_to_a_model__is_held_to_it(gateway, acme, upstream):
    wanted = {"persona_id": "brand-default", "subject_id": "u_1", "models": ["ikiro/sandbox"]}
    minted = acme.post("/v1/tokens", json=wanted)
    assert minted.status_code in (200, 201), minted.text
    turn = {"persona_id": "brand-default", "subject_id": "u_1", "messages": [{"role": "user", "content": "hi"}]}
    with gateway.acme.client(minted.json()["token"]) as bearer:
        assert bearer.post("/v1/chat", json={**turn, "model": "ikiro/sandbox"}).status_code == 200
        refused = bearer.post("/v1/chat", json={**turn, "model": "openai/fake:normal"})
        assert (refused.status_code, refused.json()["code"]) == (403, "model_not_allowed")
    assert upstream.calls() == []


def test_hard_budget__persona__is_sent_a_limit_that_the_lease_pays_for(gateway, acme, upstream):
    turn = {"persona_id": "brand-default", "subject_id": "u_1", "messages": [{"role": "user", "content": "hi"}]}
    budget = {"limit_micros": 10_000, "window": "day", "hard": True}
    with gateway.acme.client(key(acme, budget=budget)) as narrow:
        answer = narrow.post("/v1/chat", json={**turn, "model": "openai/gpt-4o-mini"})
        assert answer.status_code == 200, answer.text
    sent = upstream.calls()[0]["body"]
    applied = int(answer.headers["x-max-tokens-applied"])
    assert 1 <= applied == sent.get("max_tokens", sent.get("max_completion_tokens")) <= 16_384


def test_auto__whatever_is_configured__answers_and_says_why(acme, upstream):
    answer = ask(acme, "auto")
    assert answer.status_code == 200, answer.text
    assert routed(shown(acme, answer))["why"]
    assert acme.get("/v1/models/auto").json()["alias_of"]


def test_hard_budget__many_callers_at_once_and_a_provider_that_ignores_limits__is_never_overspent(
    gateway, acme, upstream
):
    upstream.script("normal", chunks=400)  # 0.3 thousandths of a dollar each, whatever was asked for
    most = 600
    secret = key(acme, budget={"limit_micros": most, "window": "day", "hard": True})

    async def scene() -> list[httpx.Response]:
        body = {"model": "openai/gpt-4o-mini", "max_tokens": 40, "messages": [{"role": "user", "content": "hi"}]}
        async with gateway.acme.async_client(secret) as client:
            return list(await asyncio.gather(*(client.post("/v1/chat/completions", json=body) for _ in range(60))))

    answers = asyncio.run(scene())
    let_in = [one for one in answers if one.status_code == 200]
    assert {one.status_code for one in answers} == {200, 402}
    assert len(upstream.calls()) == len(let_in)
    charged = [entries(one, 1)[0][4] for one in let_in]
    assert 0 < sum(charged) <= most
