"""An organization's own providers over HTTP: made, used, rotated, tested, and never told to anybody else."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.harness import Gateway, Org, eventually


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


def _clean(org: Org) -> Iterator[httpx.Client]:
    with org.client() as client:
        yield client
        for provider in client.get("/v1/providers?limit=100").json()["data"]:
            client.delete(f"/v1/providers/{provider['id']}")
        for alias in client.get("/v1/models/aliases").json()["data"]:
            client.delete(f"/v1/models/aliases/{alias['alias']}")


def secret_key() -> str:
    return f"sk-{secrets.token_hex(16)}"


def make(client: httpx.Client, upstream: Any, name: str = "mine", **fields: Any) -> dict[str, Any]:
    body = {"name": name, "kind": "openai", "base_url": upstream.base_url, "api_key": secret_key(), **fields}
    answer = client.post("/v1/providers", json=body)
    assert answer.status_code == 201, answer.text
    assert body["api_key"] not in answer.text
    assert answer.json()["last4"] == body["api_key"][-4:]
    return answer.json()


def ask(client: httpx.Client, model: str, **more: Any) -> httpx.Response:
    return client.post(
        "/v1/chat/completions", json={"model": model, "messages": [{"role": "user", "content": "hi"}], **more}
    )


def key_of(call: dict[str, Any]) -> str:
    return call["headers"].get("x-api-key") or call["headers"]["authorization"].removeprefix("Bearer ")


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("kind", ["openai", "anthropic"])
def test_provider__created__answers_at_once_with_its_own_key(acme, globex, upstream, kind, stream):
    key = secret_key()
    made = make(acme, upstream, kind=kind, base_url=upstream.base_url, api_key=key)
    answer = ask(acme, "mine/fake:normal", stream=stream)
    assert (answer.status_code, "upstream" in answer.text) == (200, True)
    (call,) = upstream.calls()
    assert (key_of(call), call["dialect"], call["body"]["model"]) == (key, kind, "fake:normal")
    assert {"x-persona-id", "cookie"} & set(call["headers"]) == set()
    refused = ask(globex, "mine/fake:normal")
    assert (refused.status_code, refused.json()["error"]["code"]) == (404, "model_not_found")
    assert len(upstream.calls()) == 1
    for request in (globex.get, globex.delete):
        assert request(f"/v1/providers/{made['id']}").status_code == 404
    assert globex.post(f"/v1/providers/{made['id']}/rotate", json={"api_key": secret_key()}).status_code == 404
    assert globex.post(f"/v1/providers/{made['id']}/test").status_code == 404
    assert globex.patch(f"/v1/providers/{made['id']}", json={"state": "disabled"}).status_code == 404
    assert acme.get(f"/v1/providers/{made['id']}").json()["state"] == "active"
    if not stream and kind == "openai":
        eventually(lambda: acme.get(f"/v1/providers/{made['id']}").json()["last_used_at"], within=15)


def test_providers__of_the_same_name_in_two_organizations__never_mix(acme, globex, upstream):
    keys = {acme: secret_key(), globex: secret_key()}
    ids = {client: make(client, upstream, name="openai", api_key=key)["id"] for client, key in keys.items()}
    for _ in range(3):
        for client in keys:
            assert ask(client, "gpt-4o-mini").status_code == 200
    assert [key_of(call) for call in upstream.calls()] == [keys[acme], keys[globex]] * 3
    listed = {client: {one["id"] for one in client.get("/v1/providers").json()["data"]} for client in keys}
    assert listed == {client: {ids[client]} for client in keys}
    acme.delete(f"/v1/providers/{ids[acme]}")
    upstream.reset()
    eventually(lambda: ask(acme, "gpt-4o-mini").status_code == 200 and key_of(upstream.calls()[-1]) == "sk-upstream")
    assert ask(globex, "gpt-4o-mini").status_code == 200
    assert key_of(upstream.calls()[-1]) == keys[globex]


def test_provider__rotated_and_disabled__is_obeyed_at_once(acme, upstream):
    made, new = make(acme, upstream), secret_key()
    assert ask(acme, "mine/fake:normal").status_code == 200
    rotated = acme.post(f"/v1/providers/{made['id']}/rotate", json={"api_key": new})
    assert (rotated.json()["last4"], rotated.json()["rotated_at"] is not None) == (new[-4:], True)
    assert ask(acme, "mine/fake:normal").status_code == 200
    assert key_of(upstream.calls()[-1]) == new
    assert acme.patch(f"/v1/providers/{made['id']}", json={"state": "disabled"}).json()["state"] == "disabled"
    refused = ask(acme, "mine/fake:normal")
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "provider_disabled")
    assert len(upstream.calls()) == 2
    assert acme.patch(f"/v1/providers/{made['id']}", json={"state": "active"}).status_code == 200
    assert ask(acme, "mine/fake:normal").status_code == 200


def test_provider__moved_without_its_key__is_refused_so_that_the_key_stays_where_it_was_given_for(acme, upstream):
    made = make(acme, upstream)
    moved = {"base_url": upstream.base_url + "/elsewhere"}
    refused = acme.patch(f"/v1/providers/{made['id']}", json=moved)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "#/api_key")
    assert acme.get(f"/v1/providers/{made['id']}").json()["base_url"] == upstream.base_url
    assert acme.patch(f"/v1/providers/{made['id']}", json={**moved, "api_key": secret_key()}).status_code == 200


@pytest.mark.parametrize(
    ("base_url", "why"),
    [
        ("http://10.0.0.7/v1", "private"),
        ("https://192.168.1.10/v1", "private"),
        ("http://169.254.169.254/latest", "link-local"),
        ("https://[::1]/v1", "not global unicast"),
        ("http://8.8.8.8/v1", "plain http"),
    ],
)
def test_provider__address_that_we_do_not_call__is_refused_with_host_and_reason(acme, base_url, why):
    body = {"name": "mine", "kind": "openai", "base_url": base_url, "api_key": secret_key()}
    refused = acme.post("/v1/providers", json=body)
    shown = refused.json()
    assert (refused.status_code, shown["code"], shown["errors"][0]["pointer"]) == (422, "egress_refused", "#/base_url")
    assert why in shown["detail"]
    assert base_url.split("/")[2].strip("[]") in shown["detail"]
    assert body["api_key"] not in refused.text
    assert acme.get("/v1/providers").json()["data"] == []


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"name": "ikiro"}, "#/name"),
        ({"name": "Mine"}, "#/name"),
        ({"name": "a--b"}, "#/name"),
        ({"name": "a/b"}, "#/name"),
        ({"kind": "other"}, "#/kind"),
        ({"api_key": ""}, "#/api_key"),
        ({"api_key": "sk with blanks"}, "#/api_key"),
        ({"api_key": "sk-\r\nx-evil: 1"}, "#/api_key"),
        ({"base_url": "ftp://example.org"}, "#/base_url"),
        ({"base_url": "https://user:pass@example.org"}, "#/base_url"),
        ({"timeouts": {"total_s": 0}}, "#/timeouts/total_s"),
        ({"extra": 1}, "#/extra"),
    ],
)
def test_provider__wrong_field__is_named_and_nothing_is_made(acme, upstream, fields, pointer):
    body = {
        "name": "mine",
        "kind": "openai",
        "base_url": upstream.base_url,
        "api_key": "sk-canary-1234567890",
        **fields,
    }
    refused = acme.post("/v1/providers", json=body)
    assert (refused.status_code, [one["pointer"] for one in refused.json()["errors"]]) == (422, [pointer])
    assert body["api_key"] == "" or body["api_key"] not in refused.text
    assert acme.get("/v1/providers").json()["data"] == []


def test_provider__name_taken__is_a_conflict(acme, upstream):
    make(acme, upstream)
    body = {"name": "mine", "kind": "openai", "api_key": secret_key()}
    refused = acme.post("/v1/providers", json=body)
    assert (refused.status_code, refused.json()["code"]) == (409, "provider_exists")


@pytest.mark.parametrize("kind", ["openai", "anthropic"])
def test_test_call__working_key__says_what_it_took(acme, upstream, kind):
    made = make(acme, upstream, kind=kind)
    upstream.models("fake:normal", "fake-mini:x")
    assert acme.post(f"/v1/providers/{made['id']}/test", json={"model": "fake:normal"}).json()["ok"] is True
    answer = acme.post(f"/v1/providers/{made['id']}/test").json()
    assert (answer["ok"], answer["model"], answer["status"], answer["error"]) == (True, "fake-mini:x", 200, None)
    assert answer["latency_ms"] >= 0


@pytest.mark.parametrize("kind", ["openai", "anthropic"])
def test_test_call__wrong_key__is_a_clear_result_with_the_key_masked(acme, upstream, kind):
    key = secret_key()
    made = make(acme, upstream, kind=kind, api_key=key)
    answer = acme.post(f"/v1/providers/{made['id']}/test", json={"model": "fake:status,code=401,leak=1"})
    assert (answer.status_code, key in answer.text) == (200, False)
    shown = answer.json()
    assert (shown["ok"], shown["status"], shown["error"]["code"]) == (False, 401, "provider_auth_failed")
    assert shown["error"]["detail"] == f"scripted 401: incorrect API key provided: …{key[-4:]}"
    upstream.models(status=401)
    shown = acme.post(f"/v1/providers/{made['id']}/test").json()
    assert (shown["ok"], shown["status"], shown["error"]["code"]) == (False, 401, "provider_auth_failed")


def test_test_call__other_failures__are_results_too(acme, upstream):
    made = make(acme, upstream, timeouts={"total_s": 1})
    found = {}
    for model in ("fake:status,code=404", "fake:status,code=500", "fake:non-json", "fake:delay,delay_ms=5000"):
        shown = acme.post(f"/v1/providers/{made['id']}/test", json={"model": model}).json()
        found[model.partition(",")[0] + str(shown["status"])] = shown["error"]["code"]
    assert found == {
        "fake:status404": "model_not_found",
        "fake:status500": "upstream_error",
        "fake:non-jsonNone": "upstream_error",
        "fake:delayNone": "upstream_timeout",
    }
    assert len(upstream.calls()) == 4


def test_provider__everything_that_happened__is_audited_without_the_key(acme, globex, upstream, gateway):
    keys = [secret_key(), secret_key()]
    made = make(acme, upstream, api_key=keys[0])
    acme.post(f"/v1/providers/{made['id']}/rotate", json={"api_key": keys[1]})
    acme.post(f"/v1/providers/{made['id']}/test", json={"model": "fake:status,code=401,leak=1"})
    acme.patch(f"/v1/providers/{made['id']}", json={"state": "disabled"})
    acme.delete(f"/v1/providers/{made['id']}")
    gateway.manage("orgs", "plan", "acme", "business")
    eventually(lambda: acme.get("/v1/audit").status_code == 200)
    entries = acme.get("/v1/audit?action=provider.*&limit=100").json()["data"]
    actions = [entry["action"] for entry in entries if entry["target"] == made["id"]]
    assert actions == [f"provider.{verb}" for verb in ("deleted", "disabled", "tested", "rotated", "created")]
    events = acme.get("/v1/events?limit=100").text
    for key in keys:
        assert key not in json.dumps(entries) + events
        assert key not in gateway.web.output + gateway.worker.output + gateway.scheduler.output


def test_providers__keys_without_the_scope__may_not(acme, upstream):
    made = make(acme, upstream)
    narrow = acme.post("/v1/keys", json={"name": "narrow", "scopes": ["chat", "providers:read"]}).json()["secret"]
    headers = {"authorization": f"Bearer {narrow}"}
    assert acme.get("/v1/providers", headers=headers).status_code == 200
    for method, path, body in (
        ("POST", "/v1/providers", {"name": "other", "kind": "openai", "api_key": "sk-x"}),
        ("POST", f"/v1/providers/{made['id']}/rotate", {"api_key": "sk-x"}),
        ("POST", f"/v1/providers/{made['id']}/test", {}),
        ("DELETE", f"/v1/providers/{made['id']}", None),
        ("PUT", "/v1/models/aliases/fast", {"model": "ikiro/sandbox"}),
    ):
        refused = acme.request(method, path, json=body, headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (403, "scope_missing")
    assert acme.get(f"/v1/providers/{made['id']}").json()["last4"] == made["last4"]
    assert upstream.calls() == []
