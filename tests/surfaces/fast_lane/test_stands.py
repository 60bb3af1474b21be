"""What the fast lane remembers stands only until it changes: each change is obeyed at once, and only for whom it was
made."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from tests.harness import eventually
from tests.surfaces.fast_lane.conftest import Lanes
from tests.surfaces.openai.support import PATH, body

WITHIN_S = 3.0
Answered = Callable[[httpx.Response], bool]


def refused(status: int, code: str) -> Answered:
    return lambda answer: answer.status_code == status and answer.json()["error"]["code"] == code


def limited_to(limit: int) -> Answered:
    return lambda answer: answer.headers.get("ratelimit-limit") == str(limit)


OF_KEYS: dict[str, tuple[dict[str, Any], Answered]] = {
    "models": ({"models": ["openai/other"]}, refused(403, "model_not_allowed")),
    "personas": ({"persona_ids": ["brand-default"]}, refused(403, "persona_not_allowed")),
    "addresses": ({"ip_ranges": ["192.0.2.0/24"]}, refused(403, "ip_not_allowed")),
    "scopes": ({"scopes": ["personas:read"]}, refused(403, "scope_missing")),
    "rate": ({"rate": {"limit": 7, "window_s": 60}}, limited_to(7)),
    "budget": (
        {"budget": {"limit_micros": 1, "window": "month", "hard": True}},
        lambda answer: answer.status_code == 402,
    ),
    "cache": ({"cache_s": 60}, lambda answer: "x-cache" in answer.headers),
}


@pytest.fixture
def key(lanes: Lanes) -> Iterator[dict[str, Any]]:
    with lanes.fast.acme.client() as client:
        made = client.post("/v1/keys", json={"name": f"stands-{uuid.uuid4().hex[:8]}"}).raise_for_status().json()
        yield made
        client.delete(f"/v1/keys/{made['id']}")


@contextmanager
def plain(lanes: Lanes, secret: str, model: str) -> Iterator[Callable[[], httpx.Response]]:
    """A plain call, made twice already, so that what it needs stands; the other organization's goes on meanwhile."""
    sent = body("hello", model=model)
    with lanes.fast.acme.client(secret) as client, lanes.fast.globex.client() as other:
        for _ in range(2):
            assert client.post(PATH, json=sent).status_code == other.post(PATH, json=sent).status_code == 200
        yield lambda: client.post(PATH, json=sent)
        answer = other.post(PATH, json=sent)
        assert (answer.status_code, answer.headers["ratelimit-limit"]) == (200, "6000")


@pytest.mark.parametrize("change", OF_KEYS)
def test_key__changed__is_obeyed_at_once(lanes: Lanes, key: dict[str, Any], change: str) -> None:
    fields, expected = OF_KEYS[change]
    with plain(lanes, key["secret"], "openai/gpt-4o-mini") as ask, lanes.fast.acme.client() as client:
        client.patch(f"/v1/keys/{key['id']}", json=fields).raise_for_status()
        assert eventually(lambda: expected(ask()), within=WITHIN_S)
        # And back again.
        client.patch(f"/v1/keys/{key['id']}", json=dict.fromkeys(fields)).raise_for_status()
        assert eventually(lambda: ask().status_code == 200 and not expected(ask()), within=WITHIN_S)


def test_key__revoked__is_refused_at_once(lanes: Lanes, key: dict[str, Any]) -> None:
    with plain(lanes, key["secret"], "openai/fake:normal") as ask, lanes.fast.acme.client() as client:
        client.delete(f"/v1/keys/{key['id']}").raise_for_status()
        assert eventually(lambda: refused(401, "key_revoked")(ask()), within=WITHIN_S)


def test_rule__set_and_removed__is_obeyed_at_once(lanes: Lanes, key: dict[str, Any]) -> None:
    with plain(lanes, key["secret"], "openai/fake:normal") as ask, lanes.fast.acme.client() as client:
        rule = {"level": "key", "kind": "requests", "limit": 9, "window": 60}
        made = client.post("/v1/limits/rules", json=rule).raise_for_status().json()
        try:
            assert eventually(lambda: limited_to(9)(ask()), within=WITHIN_S)
        finally:
            client.delete(f"/v1/limits/rules/{made['id']}").raise_for_status()
        assert eventually(lambda: limited_to(6000)(ask()), within=WITHIN_S)


def test_policy__forbids_the_model__is_obeyed_at_once(lanes: Lanes, key: dict[str, Any]) -> None:
    model = f"openai/fake:normal,mark={uuid.uuid4().hex[:8]}"
    with plain(lanes, key["secret"], model) as ask, lanes.fast.acme.client() as client:
        before = client.get("/v1/policies/overlays/organization").raise_for_status().json()
        kept = {name: before[name] for name in ("locks", "defaults")}
        overlay = {**kept, "locks": {**kept["locks"], "denied_models": [model]}}
        client.put("/v1/policies/overlays/organization", json=overlay).raise_for_status()
        try:
            assert eventually(lambda: refused(403, "policy_refused")(ask()), within=WITHIN_S)
        finally:
            client.put("/v1/policies/overlays/organization", json=kept).raise_for_status()
        assert eventually(lambda: ask().status_code == 200, within=WITHIN_S)


def test_policy__in_shadow_about_the_model__is_noted_at_once_and_changes_nothing(
    lanes: Lanes, key: dict[str, Any]
) -> None:
    model = f"openai/fake:normal,mark={uuid.uuid4().hex[:8]}"
    address = "/v1/policies/overlays/organization"
    with plain(lanes, key["secret"], model) as ask, lanes.fast.acme.client() as client:

        def noted() -> Any:
            answer = ask()
            assert answer.status_code == 200
            request_id = answer.headers["x-request-id"]
            return eventually(
                lambda: (one := client.get(f"/v1/requests/{request_id}").json()).get("latency_ms") is not None and one
            )["shadow"]

        assert noted() is None
        shadow = {"mode": "shadow", "locks": {"denied_models": [model]}}
        made = client.put(address, json=shadow).raise_for_status().json()
        try:
            found = eventually(noted, within=WITHIN_S)
            assert (found["refused_before"], found["refused_after"]) == (False, True)
            assert found["overlays"] == [{"name": "org", "version": made["version"]}]
            # One that says nothing of models has nothing to say of such a call.
            client.put(address, json={"mode": "shadow", "locks": {"dont": ["Shout"]}}).raise_for_status()
            assert eventually(lambda: noted() is None, within=WITHIN_S)
        finally:
            client.delete(address, params={"mode": "shadow"}).raise_for_status()
        assert eventually(lambda: noted() is None, within=WITHIN_S)


def test_price__set__is_charged_at_once(lanes: Lanes, key: dict[str, Any]) -> None:
    model = f"openai/fake:normal,mark={uuid.uuid4().hex[:8]}"
    with plain(lanes, key["secret"], model) as ask, lanes.fast.acme.client() as client:
        client.put(f"/v1/prices/{model}", json={"prompt": "1000", "completion": "1000"}).raise_for_status()

        def charged() -> bool:
            request_id = ask().headers["x-request-id"]
            record = eventually(lambda: client.get(f"/v1/requests/{request_id}").json().get("price_version") and client)
            return bool(record.get(f"/v1/requests/{request_id}").json()["charged_micros"] > 0)

        try:
            assert eventually(charged, within=2 * WITHIN_S)
        finally:
            client.delete(f"/v1/prices/{model}").raise_for_status()
