"""What can be asked for: real names, aliases and patterns, in the shape that the caller's client reads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.harness import Gateway, eventually
from tests.surfaces.v1.providers.test_providers import _clean, ask, make

ANTHROPIC = {"anthropic-version": "2023-06-01"}


@pytest.fixture(autouse=True)
def fresh(upstream: Any) -> Iterator[None]:
    upstream.reset()
    yield
    upstream.reset()


@pytest.fixture
def acme(gateway: Gateway) -> Iterator[httpx.Client]:
    yield from _clean(gateway.acme)


@pytest.fixture
def globex(gateway: Gateway) -> Iterator[httpx.Client]:
    yield from _clean(gateway.globex)


def names(client: httpx.Client, provider: str = "mine") -> list[str]:
    return [one["id"] for one in client.get("/v1/models").json()["data"] if one["owned_by"] == provider]


def test_models__provider_that_lists__are_shown_by_name_to_its_organization_alone(acme, globex, upstream):
    upstream.models("big", "small")
    make(acme, upstream)
    assert names(acme) == ["mine/big", "mine/small"]
    first = acme.get("/v1/models").json()["data"][0]
    assert first == {
        "id": "ikiro/sandbox", "object": "model", "created": 0, "owned_by": "ikiro", "pattern": False, "alias_of": None,
    }  # fmt: skip
    assert names(globex) == []
    listed = len(upstream.listings())
    assert names(acme) == ["mine/big", "mine/small"]  # from memory
    assert len(upstream.listings()) == listed
    assert acme.get("/v1/models/mine/big").json()["id"] == "mine/big"


@pytest.mark.parametrize("trouble", [{"status": 500}, {"status": 404}, {"delay_ms": 3000}])
def test_models__provider_without_a_list__is_a_pattern_and_nobody_waits_long(acme, upstream, trouble):
    upstream.models("big", **trouble)
    make(acme, upstream)
    assert names(acme) == ["mine/*"]
    if "delay_ms" in trouble:  # it goes on in background
        eventually(lambda: names(acme) == ["mine/big"])
    else:
        assert acme.get("/v1/models/mine/whatever").json()["id"] == "mine/whatever"


@pytest.mark.parametrize("name", ["nobody/x", "mine/none", "ikiro/other", "other"])
def test_models__unknown_one__is_404_in_the_callers_dialect(acme, upstream, name):
    upstream.models("big", "other-2024")
    make(acme, upstream)
    assert names(acme) == ["mine/big", "mine/other-2024"]
    if name == "other":
        name = "mine/other"
        assert acme.get(f"/v1/models/{name}").status_code == 200  # the undated name of a dated model
        return
    refused = acme.get(f"/v1/models/{name}")
    assert (refused.status_code, refused.json()["error"]["code"]) == (404, "model_not_found")
    refused = acme.get(f"/v1/models/{name}", headers=ANTHROPIC)
    assert (refused.status_code, refused.json()["type"], refused.json()["error"]["type"]) == (
        404,
        "error",
        "not_found_error",
    )
    assert refused.headers["request-id"] == refused.json()["request_id"]


def test_models__without_a_key__is_401_in_the_callers_dialect(gateway):
    refused = httpx.get(f"{gateway.base_url}/v1/models")
    assert (refused.status_code, refused.json()["error"]["type"]) == (401, "authentication_error")
    refused = httpx.get(f"{gateway.base_url}/v1/models", headers=ANTHROPIC)
    assert (refused.status_code, refused.json()["type"], refused.json()["error"]["type"]) == (
        401,
        "error",
        "authentication_error",
    )


def test_models__anthropics_client__turns_pages(acme, upstream):
    upstream.models(*(f"m{number:02d}" for number in range(5)))
    make(acme, upstream, kind="anthropic", base_url=upstream.root)
    assert len(names(acme)) == 5
    seen, after = [], None
    while True:
        query = {"limit": "2", **({"after_id": after} if after else {})}
        page = acme.get("/v1/models", params=query, headers=ANTHROPIC).json()
        assert set(page) == {"data", "has_more", "first_id", "last_id"}
        assert (page["first_id"], page["last_id"]) == (page["data"][0]["id"], page["data"][-1]["id"])
        seen += page["data"]
        after = page["last_id"]
        if not page["has_more"]:
            break
    mine = [one for one in seen if one["id"].startswith("mine/")]
    assert [one["id"] for one in mine] == [f"mine/m{number:02d}" for number in range(5)]
    assert mine[0] == {
        "type": "model", "id": "mine/m00", "display_name": "M00", "created_at": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    before = acme.get("/v1/models", params={"limit": "2", "before_id": "mine/m02"}, headers=ANTHROPIC).json()
    assert ([one["id"] for one in before["data"]], before["has_more"]) == (["mine/m00", "mine/m01"], True)
    refused = acme.get("/v1/models", params={"limit": "0"}, headers=ANTHROPIC)
    assert (refused.status_code, refused.json()["error"]["type"]) == (400, "invalid_request_error")


def test_alias__set__is_used_listed_recorded_and_nobody_elses(acme, globex, upstream):
    assert acme.put("/v1/models/aliases/fast", json={"model": "openai/fake:normal"}).json()["alias"] == "fast"
    answer = ask(acme, "fast")
    assert (answer.status_code, upstream.calls()[0]["body"]["model"]) == (200, "fake:normal")
    turn = {"model": "fast", "persona_id": "brand-default", "subject_id": "u_1", "messages": [
        {"role": "user", "content": "hi"}]}  # fmt: skip
    request_id = acme.post("/v1/chat", json=turn).json()["request_id"]

    def routed() -> dict[str, Any]:
        shown = acme.get(f"/v1/requests/{request_id}").json()
        found = next(one for one in shown["decisions"] if one["stage"] == "route")
        return {name: found.get(name) for name in ("provider", "model", "credential", "alias", "attempt")} | {
            "billed": shown["model"]
        }

    assert routed() == {
        "provider": "openai", "model": "openai/fake:normal", "credential": "platform", "alias": "fast", "attempt": 1,
        "billed": "openai/fake:normal",
    }  # fmt: skip
    shown = next(one for one in acme.get("/v1/models").json()["data"] if one["id"] == "fast")
    assert (shown["alias_of"], acme.get("/v1/models/fast").json()["alias_of"]) == ("openai/fake:normal",) * 2
    before = len(upstream.calls())
    assert globex.get("/v1/models/aliases").json()["data"] == []
    assert globex.get("/v1/models/fast").status_code == 404
    assert globex.delete("/v1/models/aliases/fast").status_code == 404
    acme.put("/v1/models/aliases/fast", json={"model": "ikiro/sandbox"})
    assert ask(acme, "fast").json()["model"] == "ikiro/sandbox"
    assert acme.delete("/v1/models/aliases/fast").json()["model"] == "ikiro/sandbox"
    assert acme.get("/v1/models/aliases/fast").json()["code"] == "alias_not_found"
    assert len(upstream.calls()) == before


def test_alias__for_a_denied_model__does_not_get_around_the_policy(acme, upstream):
    acme.put("/v1/models/aliases/fast", json={"model": "openai/fake:normal"})
    overlay = {"locks": {"denied_models": ["openai/*"]}, "defaults": {}}
    assert acme.put("/v1/policies/overlays/organization", json=overlay).status_code == 200
    turn = {"persona_id": "brand-default", "subject_id": "u_1", "messages": [{"role": "user", "content": "hi"}]}
    try:
        for model in ("openai/fake:normal", "fast", "fake:normal"):
            refused = acme.post("/v1/chat", json={**turn, "model": model})
            assert (refused.status_code, refused.json()["code"]) == (403, "policy_refused")
    finally:
        acme.put("/v1/policies/overlays/organization", json={"locks": {}, "defaults": {}})
    assert upstream.calls() == []


@pytest.mark.parametrize(
    ("alias", "model", "code"),
    [
        ("fast", "slow", "alias_target_unknown"),
        ("fast", "nobody/x", "alias_target_unknown"),
        ("fast", "ikiro/other", "alias_target_unknown"),
        ("-fast", "ikiro/sandbox", "invalid_alias"),
        ("f" * 129, "ikiro/sandbox", "invalid_alias"),
        ("a b", "ikiro/sandbox", "invalid_alias"),
    ],
)
def test_alias__that_could_not_work__is_refused_and_not_kept(acme, alias, model, code):
    acme.put("/v1/models/aliases/slow", json={"model": "ikiro/sandbox"})
    refused = acme.put(f"/v1/models/aliases/{alias}", json={"model": model})
    assert (refused.status_code, refused.json()["code"]) == (422, code if model != "slow" else refused.json()["code"])
    assert [one["alias"] for one in acme.get("/v1/models/aliases").json()["data"]] == ["slow"]


def test_retries__in_the_product__are_one_charged_call_with_its_attempts_on_record(acme, upstream):
    answer = ask(acme, "openai/fake:flaky,code=503,times=2,retry_after_ms=10")
    assert answer.status_code == 200
    shown = acme.get(f"/v1/requests/{answer.headers['x-request-id']}").json()
    route = next(one for one in shown["decisions"] if one["stage"] == "route")
    assert [one["code"] for one in route["attempts"]] == ["upstream_error", "upstream_error", "ok"]
    assert (shown["attempts"], shown["usage"]["completion_tokens"], len(upstream.calls())) == (3, 8, 3)
    refused = ask(acme, "openai/fake:status,code=500,retry_after_ms=10")
    assert (refused.status_code, refused.json()["error"]["code"]) == (502, "upstream_error")
    shown = eventually(lambda: acme.get(f"/v1/requests/{refused.headers['x-request-id']}").json())
    assert (shown["attempts"], shown["usage"]["total_tokens"]) == (3, 0)
