"""Models whose price nobody knows: asked as always, but never under a hard budget, which could not be held."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.engine.routing.test_money_over_http import key
from tests.engine.routing.test_over_http import acme, ask, globex, provider, route, routed, shown
from tests.harness import Gateway

__all__ = ["acme", "globex"]
BUDGET = {"limit_micros": 1_000_000, "window": "day", "hard": True}
PERSONA = {"x-persona-id": "brand-default", "anthropic-version": "2023-06-01"}
PRICED = "openai/gpt-4o-mini"
PATHS = ["/v1/chat", "/v1/chat/completions", "/v1/responses", "/v1/messages"]


@pytest.fixture
def guarded(gateway: Gateway, acme: httpx.Client) -> Iterator[httpx.Client]:
    """A key of acme under a hard budget."""
    with gateway.acme.client(key(acme, budget=BUDGET)) as client:
        yield client


def body_of(path: str, model: str, subject: str | None = None) -> dict[str, Any]:
    said = [{"role": "user", "content": "hi"}]
    if path == "/v1/responses":
        return {"model": model, "input": "hi", "max_output_tokens": 20}
    if path == "/v1/embeddings":
        return {"model": model, "input": "hi"}
    more = {"persona_id": "brand-default", "subject_id": subject} if path == "/v1/chat" else {}
    return {"model": model, "messages": said, "max_tokens": 20, **more}


def turn(client: httpx.Client, path: str, model: str, subject: str) -> httpx.Response:
    headers = {} if path == "/v1/chat" else {**PERSONA, "x-subject-id": subject}
    return client.post(path, json=body_of(path, model, subject), headers=headers)


def refused(answer: httpx.Response, path: str) -> dict[str, Any]:
    assert answer.status_code == 402, answer.text
    problem: dict[str, Any] = answer.json() if path == "/v1/chat" else answer.json()["error"]
    assert (problem["code"], problem["decision"]["stage"]) == ("model_unpriced", "price")
    return problem


def budget_of(client: httpx.Client) -> tuple[int, int]:
    (shown_,) = client.get("/v1/limits").json()["budgets"]
    return shown_["spent_micros"], shown_["reserved_micros"]


@pytest.mark.parametrize("path", PATHS)
def test_unpriced__persona_under_a_hard_budget__is_402_before_the_model_and_leaves_nothing(
    acme, guarded, upstream, path
):
    model, subject = f"{provider(acme, upstream.base_url)[0]}/my-own-llama", f"unpriced-{secrets.token_hex(4)}"
    problem = refused(turn(guarded, path, model, subject), path)
    detail = problem.get("detail") or problem["message"]
    assert (model in detail, "/v1/prices" in detail) == (True, True)
    assert upstream.calls() == []
    assert budget_of(guarded) == (0, 0)
    assert acme.get(f"/v1/subjects/{subject}").status_code == 404
    # Without a hard budget nothing changes: the call is answered, and shown as unpriced.
    answer = turn(acme, path, model, subject)
    assert (answer.status_code, len(upstream.calls())) == (200, 1)


def test_unpriced__explained_under_a_hard_budget__is_what_the_call_would_be_told(acme, guarded, upstream):
    model = f"{provider(acme, upstream.base_url)[0]}/my-own-llama"
    sent = body_of("/v1/chat", model, "explained")
    told = guarded.post("/v1/explain", json=sent).json()
    assert (told["would"], told["error"]["code"], told["error"]["status"]) == ("refused", "model_unpriced", 402)
    assert told["decision"]["models"] == [model]
    assert acme.post("/v1/explain", json=sent).json()["would"] == "allowed"
    assert guarded.post("/v1/explain", json={**sent, "model": "ikiro/sandbox"}).json()["would"] == "allowed"


def test_unpriced__once_its_price_is_set__is_asked_under_a_hard_budget_and_charged(acme, globex, guarded, upstream):
    name = provider(acme, upstream.base_url)[0]
    model = f"{name}/my-own-llama"
    assert turn(guarded, "/v1/chat", model, "priced").status_code == 402
    globex.put(f"/v1/prices/{model}", json={"prompt": "3", "completion": "12"}).raise_for_status()
    try:
        assert turn(guarded, "/v1/chat", model, "priced").status_code == 402  # another organization's price
        acme.put(f"/v1/prices/{model}", json={"prompt": "3", "completion": "12"}).raise_for_status()
        assert turn(guarded, "/v1/chat", model, "priced").status_code == 200
        assert budget_of(guarded)[0] > 0
    finally:
        for client in (acme, globex):
            client.delete(f"/v1/prices/{model}")


def test_unpriced__target_of_a_route__is_left_out_where_a_priced_one_remains(acme, guarded, upstream):
    model = f"{provider(acme, upstream.base_url)[0]}/my-own-llama"
    route(acme, model, PRICED)
    answer = turn(guarded, "/v1/chat", "route", "left-out")
    assert (answer.status_code, answer.json()["model"]) == (200, PRICED)
    assert [call["body"]["model"] for call in upstream.calls()] == ["gpt-4o-mini"]
    assert routed(shown(acme, answer))["left_out"] == [{"model": model, "reason": "model_unpriced"}]
    explained = guarded.post("/v1/explain", json=body_of("/v1/chat", "route", "left-out")).json()
    assert (explained["would"], explained["targets"]) == ("allowed", [PRICED])
    assert turn(acme, "/v1/chat", "route", "left-out").json()["model"] == model


def test_unpriced__test_of_a_provider_under_a_hard_budget__is_402_and_asks_nobody(acme, globex, guarded, upstream):
    provider_id = provider(acme, upstream.base_url)[1]
    path, wanted = f"/v1/providers/{provider_id}/test", {"model": "my-own-llama"}
    answer = guarded.post(path, json=wanted)
    assert (answer.status_code, answer.json()["code"]) == (402, "model_unpriced")
    assert (upstream.calls(), budget_of(guarded)) == ([], (0, 0))
    assert globex.post(path, json=wanted).status_code == 404
    assert acme.post(path, json=wanted).json()["ok"] is True
    assert len(upstream.calls()) == 1


def test_sandbox__under_a_hard_budget__is_known_to_be_free(guarded):
    assert turn(guarded, "/v1/chat", "ikiro/sandbox", "free").status_code == 200
    assert ask(guarded, "ikiro/sandbox").status_code == 200
    assert budget_of(guarded) == (0, 0)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", [*PATHS[1:], "/v1/embeddings"])
def test_unpriced__pass_through_under_a_hard_budget__is_402_before_the_model_and_leaves_nothing(
    acme, guarded, upstream, path, stream
):
    model = f"{provider(acme, upstream.base_url)[0]}/my-own-llama"
    body = body_of(path, model) | ({"stream": True} if stream and path != "/v1/embeddings" else {})
    headers = {"anthropic-version": "2023-06-01"}
    problem = refused(guarded.post(path, json=body, headers=headers), path)
    assert (model in problem["message"], upstream.calls(), budget_of(guarded)) == (True, [], (0, 0))
    assert acme.post(path, json=body, headers=headers).status_code == 200
    assert len(upstream.calls()) == 1


def test_unpriced__pass_through_of_a_route__leaves_the_target_out_and_explain_says_the_same(acme, guarded, upstream):
    model = f"{provider(acme, upstream.base_url)[0]}/my-own-llama"
    route(acme, model, PRICED)
    answer = ask(guarded)
    assert (answer.status_code, [call["body"]["model"] for call in upstream.calls()]) == (200, ["gpt-4o-mini"])
    assert routed(shown(acme, answer))["left_out"] == [{"model": model, "reason": "model_unpriced"}]
    sent = body_of("/v1/chat/completions", model)
    told = guarded.post("/v1/explain", json={"openai": sent}).json()
    assert (told["would"], told["error"]["code"]) == ("refused", "model_unpriced")
    assert acme.post("/v1/explain", json={"openai": sent}).json()["would"] == "allowed"
