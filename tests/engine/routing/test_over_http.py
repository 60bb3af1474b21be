"""Routes in the running product: fallback, what each attempt costs, and who may use what."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.harness import Gateway, Org, eventually

ROUTE = "/v1/models/aliases/route"
WITHIN_S = 30.0


@pytest.fixture
def acme(gateway: Gateway, upstream: Any) -> Iterator[httpx.Client]:
    yield from _clean(gateway.acme, upstream)


@pytest.fixture
def globex(gateway: Gateway, upstream: Any) -> Iterator[httpx.Client]:
    yield from _clean(gateway.globex, upstream)


def _clean(org: Org, upstream: Any) -> Iterator[httpx.Client]:
    upstream.reset()
    with org.client() as client:
        yield client
        client.put("/v1/policies/overlays/organization", json={"locks": {}, "defaults": {}})
        for provider in client.get("/v1/providers?limit=100").json()["data"]:
            client.delete(f"/v1/providers/{provider['id']}")
        for alias in client.get("/v1/models/aliases").json()["data"]:
            client.delete(f"/v1/models/aliases/{alias['alias']}")
    upstream.reset()


def provider(client: httpx.Client, base_url: str, **fields: Any) -> tuple[str, str]:
    """(name, id) of a new provider that nobody else's failures have touched."""
    name = f"p{secrets.token_hex(4)}"
    body = {"name": name, "kind": "openai", "base_url": base_url, "api_key": f"sk-{secrets.token_hex(16)}", **fields}
    return name, client.post("/v1/providers", json=body).raise_for_status().json()["id"]


def route(client: httpx.Client, first: str, then: str, **more: Any) -> None:
    body = {"targets": [{"model": first}], "fallbacks": [then], **more}
    answer = client.put(ROUTE, json=body)
    assert answer.status_code == 200, answer.text


def ask(client: httpx.Client, model: str = "route", **more: Any) -> httpx.Response:
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}], **more}
    return client.post("/v1/chat/completions", json=body)


def shown(client: httpx.Client, answer: httpx.Response) -> dict[str, Any]:
    address = f"/v1/requests/{answer.headers['x-request-id']}"
    return dict(eventually(lambda: client.get(address).raise_for_status().json(), within=WITHIN_S))


def routed(record: dict[str, Any]) -> dict[str, Any]:
    return next(one for one in record["decisions"] if one["stage"] == "route")


def scenarios(upstream: Any) -> list[str]:
    return [call["body"]["model"] for call in upstream.calls()]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("trouble", "code"),
    [
        ("fake:status,code=500", "upstream_error"),
        ("fake:status,code=429", "upstream_rate_limited"),
        ("fake:status,code=401", "provider_auth_failed"),
        ("fake:status,code=404", "model_not_found"),
        ("fake:error-first", "upstream_error"),
    ],
)
def test_route__first_target_cannot__the_next_answers_and_both_are_on_record(acme, upstream, trouble, code, stream):
    one, two = provider(acme, upstream.base_url)[0], provider(acme, upstream.base_url)[0]
    route(acme, f"{one}/{trouble}", f"{two}/fake:normal")
    answer = ask(acme, stream=stream)
    assert (answer.status_code, "upstream" in answer.text) == (200, True)
    assert scenarios(upstream) == [trouble, "fake:normal"]
    record = shown(acme, answer)
    assert [(try_["code"], try_["model"]) for try_ in routed(record)["attempts"]] == [
        (code, f"{one}/{trouble}"), ("ok", f"{two}/fake:normal"),
    ]  # fmt: skip
    assert (record["attempts"], record["model"]) == (2, f"{two}/fake:normal")


def test_route__nobody_listens_or_too_late__the_next_answers(acme, upstream):
    good = provider(acme, upstream.base_url)[0]
    gone = provider(acme, "http://127.0.0.1:9/v1")[0]
    route(acme, f"{gone}/x", f"{good}/fake:normal")
    assert ask(acme).status_code == 200
    assert scenarios(upstream) == ["fake:normal"]
    slow = "fake:stall-first"
    route(acme, f"{good}/{slow}", f"{good}/fake:normal", timeouts={"first_token_s": 1})
    answer = ask(acme, stream=True)
    assert (answer.status_code, scenarios(upstream)[1:]) == (200, [slow, "fake:normal"])
    assert [one["code"] for one in routed(shown(acme, answer))["attempts"]] == ["upstream_timeout", "ok"]


@pytest.mark.parametrize("trouble", ["fake:cut,after=3", "fake:error-mid"])
def test_route__failure_after_the_first_word__is_told_and_nobody_else_is_asked(acme, upstream, trouble):
    name = provider(acme, upstream.base_url)[0]
    route(acme, f"{name}/{trouble}", f"{name}/fake:normal")
    answer = ask(acme, stream=True)
    assert (answer.status_code, '"error"' in answer.text, "[DONE]" in answer.text) == (200, True, False)
    assert scenarios(upstream) == [trouble]


def test_route__request_that_is_wrong__is_refused_once(acme, upstream):
    name = provider(acme, upstream.base_url)[0]
    route(acme, f"{name}/fake:status,code=400", f"{name}/fake:normal")
    assert ask(acme).json()["error"]["code"] == "upstream_rejected"
    assert len(upstream.calls()) == 1


def test_breaker__of_a_failing_provider__opens_shows_and_is_gone_around(acme, globex, upstream):
    (bad, bad_id), (good, _) = provider(acme, upstream.base_url), provider(acme, upstream.base_url)
    for _ in range(2):  # three attempts each
        assert ask(acme, f"{bad}/fake:status,code=500,retry_after_ms=1").status_code == 502
    health = acme.get(f"/v1/providers/{bad_id}").json()["health"]
    assert (health["state"], health["error_rate"], health["last_error"]) == ("open", 1.0, "upstream_error")
    assert globex.get(f"/v1/providers/{bad_id}").status_code == 404
    route(acme, f"{bad}/fake:normal", f"{good}/fake:normal")
    seen = len(upstream.calls())
    answer = ask(acme)
    assert (answer.status_code, len(upstream.calls()) - seen) == (200, 1)
    assert routed(shown(acme, answer))["left_out"] == [{"model": f"{bad}/fake:normal", "reason": "breaker_open"}]
    assert ask(acme, f"{bad}/fake:normal").status_code == 200  # alone it is asked, and that closes it
    assert acme.get(f"/v1/providers/{bad_id}").json()["health"]["state"] == "closed"


def test_policy__that_denies_a_model__holds_for_pass_through_within_a_second(acme, globex, upstream):
    name = provider(acme, upstream.base_url)[0]
    assert ask(acme, f"{name}/fake:normal").status_code == 200
    acme.put("/v1/policies/overlays/organization", json={"locks": {"denied_models": [f"{name}/*"]}, "defaults": {}})
    refused = eventually(lambda: (one := ask(acme, f"{name}/fake:normal")).status_code == 403 and one, within=WITHIN_S)
    assert refused.json()["error"]["code"] == "policy_refused"
    seen = len(upstream.calls())
    assert ask(acme, f"{name}/fake:normal").status_code == 403
    assert len(upstream.calls()) == seen
    assert ask(globex, "openai/fake:normal").status_code == 200


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"targets": [{"model": "ikiro/sandbox"}, {"model": "nobody/x"}]}, "#/targets/1/model"),
        ({"targets": [{"model": "ikiro/sandbox"}], "fallbacks": ["route"]}, "#/fallbacks/0"),
        ({"targets": [{"model": "ikiro/sandbox"}], "model": "ikiro/sandbox"}, "#/model"),
        ({}, "#/model"),
        ({"targets": [{"model": "ikiro/sandbox", "weight": 0}]}, "#/targets/0/weight"),
        ({"targets": [{"model": "ikiro/sandbox"}, {"model": "ikiro/sandbox"}]}, "#/targets"),
    ],
)
def test_route__that_could_not_work__is_refused_with_its_place_and_not_kept(acme, upstream, body, pointer):
    name = provider(acme, upstream.base_url)[0]
    acme.put("/v1/models/aliases/slow", json={"model": f"{name}/x"})
    refused = acme.put(ROUTE, json=body)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, pointer)
    assert acme.get(ROUTE).status_code == 404


def test_blast_radius__previewed__names_what_leads_there_and_changes_nothing(acme, globex, upstream):
    (name, provider_id), (other, _) = provider(acme, upstream.base_url), provider(acme, upstream.base_url)
    route(acme, f"{name}/a", f"{other}/b")
    acme.put("/v1/models/aliases/only", json={"model": f"{name}/a"})
    for answer in (
        acme.get(f"/v1/providers/{provider_id}/blast-radius"),
        acme.delete(f"/v1/providers/{provider_id}?preview=true"),
        acme.patch(f"/v1/providers/{provider_id}?preview=true", json={"state": "disabled"}),
    ):
        assert answer.status_code == 200, answer.text
        found = {one["alias"]: one["dead"] for one in answer.json()["aliases"]}
        assert (found, answer.json()["platform_takes_over"]) == ({"only": True, "route": False}, False)
    assert acme.get(f"/v1/providers/{provider_id}").json()["state"] == "active"
    assert globex.get(f"/v1/providers/{provider_id}/blast-radius").status_code == 404


def test_weights__over_many_calls__share_them_out(acme, upstream):
    one, two = provider(acme, upstream.base_url)[0], provider(acme, upstream.base_url)[0]
    targets = [{"model": f"{one}/fake:normal,w=a", "weight": 3}, {"model": f"{two}/fake:normal,w=b", "weight": 1}]
    assert acme.put(ROUTE, json={"targets": targets, "strategy": "weighted"}).status_code == 200
    for _ in range(60):
        assert ask(acme).status_code == 200
    first = scenarios(upstream).count("fake:normal,w=a")
    assert (len(upstream.calls()), 30 <= first <= 57) == (60, True)  # 45 expected; this is more than 3.5 sigma


def test_retry_after__of_a_lone_target__is_kept_to_and_a_route_goes_around_it(acme, upstream):
    name = provider(acme, upstream.base_url)[0]
    hot = f"{name}/fake:status,code=429,retry_after=60"
    assert (ask(acme, hot).status_code, len(upstream.calls())) == (429, 1)
    refused = ask(acme, hot)
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "provider_cooling_down")
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert len(upstream.calls()) == 1
    route(acme, hot, f"{name}/fake:normal")
    assert ask(acme).status_code == 200
    assert scenarios(upstream)[1:] == ["fake:normal"]


@pytest.mark.parametrize("stream", [False, True])
def test_route__in_anthropics_dialect__falls_back_across_wires(acme, upstream, stream):
    one = provider(acme, upstream.root, kind="anthropic")[0]
    two = provider(acme, upstream.base_url)[0]
    route(acme, f"{one}/fake:status,code=529", f"{two}/fake:normal")
    body = {"model": "route", "max_tokens": 50, "stream": stream, "messages": [{"role": "user", "content": "hi"}]}
    answer = acme.post("/v1/messages", json=body, headers={"anthropic-version": "2023-06-01"})
    assert (answer.status_code, "upstream" in answer.text) == (200, True), answer.text
    assert [call["dialect"] for call in upstream.calls()] == ["anthropic", "openai"]
