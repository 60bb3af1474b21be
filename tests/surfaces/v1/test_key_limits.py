"""What narrows a key, over HTTP: written, shown, changed, enforced; and nobody makes one wider than themselves."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.factories.people import People, committed_database, people
from tests.harness import Gateway, eventually

__all__ = ["committed_database", "people"]
LIMITS = {
    "models": ["openai/*", "ikiro/sandbox"],
    "origins": ["https://App.example:443"],
    "ip_ranges": ["127.0.0.1", "2001:DB8::/32"],
    "rate": {"limit": 100, "window_s": 60},
    "budget": {"limit_micros": 5_000_000, "window": "month"},
    "on_disconnect": "drain",
    "cache_s": 60,
}
SHOWN = LIMITS | {
    "models": ["ikiro/sandbox", "openai/*"],
    "origins": ["https://app.example"],
    "ip_ranges": ["127.0.0.1/32", "2001:db8::/32"],
    "budget": {"limit_micros": 5_000_000, "window": "month", "hard": True},
}


@pytest.fixture
def client(gateway: Gateway) -> Iterator[httpx.Client]:
    with gateway.acme.client() as client:
        yield client


def make(client: httpx.Client, **limits: Any) -> dict[str, Any]:
    answer = client.post("/v1/keys", json={"name": "limited", **limits})
    assert answer.status_code == 201, answer.text
    return answer.json()


def trail(client: httpx.Client, key: dict[str, Any], action: str) -> list[dict[str, Any]]:
    found = client.get("/v1/audit", params={"action": action, "limit": 200}).json()["data"]
    return [one for one in found if one["target"] == key["id"]]


def test_key__made_with_every_limit__shows_them_in_uniform_writing(gateway: Gateway, client: httpx.Client) -> None:
    made = make(client, **LIMITS)
    shown = client.get(f"/v1/keys/{made['id']}").json()
    for answer in (made, shown):
        assert {name: answer[name] for name in SHOWN} == SHOWN
    plain = make(client)
    defaults = dict.fromkeys(SHOWN) | {"on_disconnect": "cancel"}
    assert {name: plain[name] for name in SHOWN} == defaults


@pytest.mark.parametrize(
    ("limits", "pointer"),
    [
        ({"ip_ranges": ["10.0.0.0/8", "10.0.0.0/40"]}, "#/ip_ranges/1"),
        ({"origins": ["https://a.example", "*"]}, "#/origins/1"),
        ({"models": ["*"]}, "#/models/0"),
        ({"rate": {"limit": 0, "window_s": 60}}, "#/rate/limit"),
        ({"rate": {"limit": 5}}, "#/rate/window_s"),
        ({"budget": {"limit_micros": 5, "window": "week"}}, "#/budget/window"),
        ({"budget": {"limit_micros": "5", "window": "day"}}, "#/budget/limit_micros"),
        ({"on_disconnect": "keep"}, "#/on_disconnect"),
        ({"cache_s": 0}, "#/cache_s"),
        ({"surprise": True}, "#/surprise"),
    ],
)
def test_key__with_a_limit_that_is_none__is_refused_by_its_field_and_not_made(
    client: httpx.Client, limits: dict, pointer: str
) -> None:
    before = client.get("/v1/keys?limit=1").json()["data"][0]["id"]
    refused = client.post("/v1/keys", json={"name": "never", **limits})
    assert refused.status_code == 422, refused.text
    assert refused.json()["errors"][0]["pointer"] == pointer
    assert client.get("/v1/keys?limit=1").json()["data"][0]["id"] == before


def test_key__changed__holds_at_once_and_is_audited_with_before_and_after(
    gateway: Gateway, client: httpx.Client
) -> None:
    made = make(client, scopes=["chat", "personas:read"], models=["openai/*"])
    headers = {"authorization": f"Bearer {made['secret']}"}
    assert client.get("/v1/personas", headers=headers).status_code == 200
    end = (datetime.now(UTC) + timedelta(days=2)).replace(microsecond=0)
    body = {"name": "renamed", "scopes": ["chat"], "models": None, "ip_ranges": [], "expires_at": end.isoformat()}
    changed = client.patch(f"/v1/keys/{made['id']}", json=body)
    assert changed.status_code == 200, changed.text
    shown = changed.json()
    assert (shown["name"], shown["scopes"], shown["models"], shown["ip_ranges"]) == ("renamed", ["chat"], None, [])
    assert datetime.fromisoformat(shown["expires_at"]) == end
    eventually(lambda: client.get("/v1/personas", headers=headers).json()["code"] == "ip_not_allowed", within=1)
    client.patch(f"/v1/keys/{made['id']}", json={"ip_ranges": None})
    eventually(lambda: client.get("/v1/personas", headers=headers).json()["code"] == "scope_missing", within=1)
    assert client.patch(f"/v1/keys/{made['id']}", json={"name": "renamed"}).status_code == 200  # nothing to change
    newer, older = trail(client, made, "key.changed")
    assert newer["detail"] == {"before": {"ip_ranges": []}, "after": {"ip_ranges": None}}
    assert older["detail"]["before"] == {
        "name": "limited", "scopes": ["chat", "personas:read"], "models": ["openai/*"], "ip_ranges": None,
        "expires_at": None,
    }  # fmt: skip
    assert older["detail"]["after"]["models"] is None
    assert older["detail"]["after"]["scopes"] == ["chat"]
    with gateway.globex.client() as other:
        assert other.patch(f"/v1/keys/{made['id']}", json={"name": "mine"}).status_code == 404
        assert trail(other, made, "key.changed") == []
    assert client.get(f"/v1/keys/{made['id']}").json()["name"] == "renamed"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"name": None}, "#/name"),
        ({"name": " "}, "#/name"),
        ({"mode": "test"}, "#/mode"),
        ({"origins": ["null"]}, "#/origins/0"),
        ({"scopes": ["everything"]}, "#/scopes"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "#/expires_at"),
    ],
)
def test_key__changed_wrongly__stays_as_it_is(client: httpx.Client, body: dict, pointer: str) -> None:
    made = make(client)
    refused = client.patch(f"/v1/keys/{made['id']}", json=body)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, pointer), refused.text
    assert client.get(f"/v1/keys/{made['id']}").json()["name"] == "limited"
    assert trail(client, made, "key.changed") == []


def test_key__revoked__cannot_be_changed(client: httpx.Client) -> None:
    made = make(client)
    client.delete(f"/v1/keys/{made['id']}")
    refused = client.patch(f"/v1/keys/{made['id']}", json={"name": "back"})
    assert (refused.status_code, refused.json()["code"]) == (409, "key_revoked")


@pytest.mark.parametrize(
    ("field", "own", "wider", "narrower"),
    [
        ("models", ["openai/*"], ["openai/*", "ikiro/sandbox"], ["openai/gpt-4o-mini"]),
        ("ip_ranges", ["127.0.0.0/8"], ["127.0.0.0/7"], ["127.0.0.1"]),
        ("origins", ["https://a.example"], ["https://b.example"], ["https://A.example"]),
        ("rate", {"limit": 600, "window_s": 60}, {"limit": 600, "window_s": 30}, {"limit": 60, "window_s": 60}),
        (
            "budget",
            {"limit_micros": 500, "window": "day"},
            {"limit_micros": 501, "window": "day"},
            {"limit_micros": 5, "window": "day"},
        ),
        ("expires_at", "2200-01-01T00:00:00Z", "2201-01-01T00:00:00Z", "2199-01-01T00:00:00Z"),
    ],
)
def test_key__that_is_limited__makes_and_changes_no_key_that_may_do_more(
    gateway: Gateway, client: httpx.Client, field: str, own: Any, wider: Any, narrower: Any
) -> None:
    limited, unlimited = make(client, **{field: own}), make(client)
    with gateway.acme.client(limited["secret"]) as narrow:
        for value in (wider, None):
            refused = narrow.post("/v1/keys", json={"name": "wider", field: value})
            assert (refused.status_code, refused.json()["code"]) == (403, "key_too_wide"), refused.text
            assert refused.json()["field"] == field
        made = narrow.post("/v1/keys", json={"name": "narrower", field: narrower})
        assert made.status_code == 201, made.text
        path = f"/v1/keys/{made.json()['id']}"
        assert narrow.patch(path, json={field: wider}).json()["code"] == "key_too_wide"
        assert narrow.patch(path, json={field: None}).json()["code"] == "key_too_wide"
        assert narrow.patch(f"/v1/keys/{limited['id']}", json={field: None}).json()["code"] == "key_too_wide"
        assert narrow.patch(f"/v1/keys/{unlimited['id']}", json={"name": "mine"}).json()["code"] == "key_too_wide"
        assert client.get(path).json()[field] == made.json()[field]
        assert narrow.patch(path, json={"name": "still"}).status_code == 200


def test_key__of_somebody_else__is_not_a_developers_to_change(
    gateway: Gateway, client: httpx.Client, people: People
) -> None:
    made = make(client, scopes=["chat"])
    developer = people.client(people.member("developer"), people.acme)
    refused = developer.patch(f"/v1/keys/{made['id']}", json={"name": "mine"})
    assert (refused.status_code, refused.json()["code"]) == (403, "key_not_yours")
    own = developer.post("/v1/keys", json={"name": "mine", "scopes": ["chat"]}).json()
    assert developer.patch(f"/v1/keys/{own['id']}", json={"name": "ours"}).json()["name"] == "ours"
    refused = developer.patch(f"/v1/keys/{own['id']}", json={"scopes": None})
    assert (refused.status_code, refused.json()["code"]) == (403, "key_too_wide")
    assert client.get(f"/v1/keys/{made['id']}").json()["name"] == "limited"


def test_key__used_outside_its_addresses__is_refused_with_what_was_seen(gateway: Gateway, client: httpx.Client) -> None:
    inside, outside = make(client, ip_ranges=["127.0.0.0/8"]), make(client, ip_ranges=["203.0.113.0/24"])

    def answered(secret: str, **headers: str) -> httpx.Response:
        sent = {"authorization": f"Bearer {secret}", **headers}
        return httpx.get(f"{gateway.base_url}/v1/me", headers=sent)

    assert answered(inside["secret"]).status_code == 200
    refused = answered(outside["secret"])
    assert (refused.status_code, refused.json()["code"]) == (403, "ip_not_allowed")
    assert refused.json()["address"] == "127.0.0.1"
    assert any(one.get("code") == "ip_not_allowed" for one in refused.json()["decisions"])
    # Without a proxy of ours, nobody says where they come from.
    assert answered(outside["secret"], **{"x-forwarded-for": "203.0.113.5"}).json()["code"] == "ip_not_allowed"


def test_key__limited_to_models__cannot_ask_another(gateway: Gateway, client: httpx.Client) -> None:
    made = make(client, models=["openai/*"])
    turn = {
        "persona_id": "brand-default", "subject_id": "ada", "messages": [{"role": "user", "content": "Hi"}],
    }  # fmt: skip
    with gateway.acme.client(made["secret"]) as limited:
        refused = limited.post("/v1/chat", json={"model": "ikiro/sandbox", **turn})
        assert (refused.status_code, refused.json()["code"]) == (403, "model_not_allowed"), refused.text
        passed = {"model": "openai/gpt-4o-mini", "messages": turn["messages"]}
        assert limited.post("/v1/chat/completions", json=passed).status_code == 200
