"""Onboarding: the first call shows within two seconds, whether it worked, failed, or came with its key misplaced."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tenants.people import organizations
from tests.factories.people import People, Someone
from tests.harness import Gateway, eventually

TURN = {
    "model": "ikiro/sandbox", "persona_id": "brand-default", "subject_id": "usr_1",
    "messages": [{"role": "user", "content": "Hello"}],
}  # fmt: skip


@pytest.fixture
def owner(people: People) -> Someone:
    return people.person()


@pytest.fixture
def org(gateway: Gateway, people: People, owner: Someone) -> httpx.Client:
    """A new organization of the owner's, with their client for it."""
    slug = f"new-{secrets.token_hex(3)}"
    people.client(owner).post("/v1/organizations", json={"name": "New", "slug": slug})
    eventually(lambda: organizations.get(owner.id, slug).organization.state == "ready", within=30)
    client = people.client(owner, organizations.get(owner.id, slug).organization.ref)
    eventually(lambda: client.get("/v1/me").status_code == 200, within=2)
    return client


def key_of(org: httpx.Client) -> str:
    return org.post("/v1/keys", json={"name": "first"}).json()["secret"]


def done(org: httpx.Client) -> set[str]:
    return {step["id"] for step in org.get("/v1/onboarding").json()["steps"] if step["done"]}


def shows(org: httpx.Client, check: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    def first() -> dict[str, Any] | None:
        found = org.get("/v1/onboarding").json()["first_call"]
        return found if check(found) else None

    return eventually(first, within=4)


def call(gateway: Gateway, headers: dict[str, str], body: Any = TURN, query: str = "") -> httpx.Response:
    return httpx.post(f"{gateway.base_url}/v1/chat{query}", json=body, headers=headers)


def test_onboarding__of_a_new_organization__waits_for_the_first_call(org: httpx.Client, owner: Someone) -> None:
    shown = org.get("/v1/onboarding").json()
    assert [step["id"] for step in shown["steps"]] == [
        "organization", "api_key", "persona", "first_call", "proposal", "provider", "invite",
    ]  # fmt: skip
    assert done(org) == {"organization", "persona"}
    assert (shown["first_call"]["state"], shown["time_to_first_call_s"]) == ("waiting", None)
    key_of(org)
    org.post("/v1/invitations", json={"emails": ["member@acme.example"], "role": "viewer"})
    assert done(org) == {"organization", "persona", "api_key", "invite"}


def test_first_call__that_works__shows_with_its_stages_and_stops_the_clock(gateway: Gateway, org: httpx.Client) -> None:
    answer = call(gateway, {"authorization": f"Bearer {key_of(org)}"})
    assert answer.status_code == 200
    first = shows(org, lambda found: found["state"] == "succeeded")
    assert (first["request_id"], first["status"]) == (answer.json()["request_id"], 200)
    assert (first["code"], first["fix"]) == (None, None)
    stages = [stage["stage"] for stage in first["timeline"]]
    assert stages[0] == "auth"
    assert stages[-1] == "answer"
    assert {"limits", "recall", "route"} <= set(stages)
    assert org.get("/v1/onboarding").json()["time_to_first_call_s"] > 0
    call(gateway, {"authorization": f"Bearer {key_of(org)}"}, {**TURN, "persona_id": "nobody"})
    assert shows(org, lambda found: True)["request_id"] == first["request_id"]


@pytest.mark.parametrize(
    ("place", "said"),
    [
        (lambda key: ({"authorization": key}, ""), "without Bearer"),
        (lambda key: ({"authorization": f"Basic {key}"}, ""), "without Bearer"),
        (lambda key: ({"authorization": f'Bearer "{key}"'}, ""), "quotes"),
        (lambda key: ({"api-key": key}, ""), "header api-key"),
        (lambda key: ({}, f"?api_key={key}"), "address"),
    ],
    ids=["no-bearer", "basic", "quoted", "api-key", "query"],
)
def test_first_call__with_the_key_misplaced__shows_the_line_as_it_must_be(
    gateway: Gateway, org: httpx.Client, place: Any, said: str
) -> None:
    key = key_of(org)
    headers, query = place(key)
    org.get("/v1/me")
    eventually(lambda: httpx.get(f"{gateway.base_url}/v1/me", headers={"x-api-key": key}).status_code == 200)
    refused = call(gateway, headers, query=query)
    assert (refused.status_code, refused.json()["code"]) == (401, "key_misplaced")
    assert said in refused.json()["detail"]
    assert "Authorization: Bearer ik_live_…" in refused.json()["detail"]
    assert key not in refused.text
    first = shows(org, lambda found: found["state"] == "failed")
    assert (first["status"], first["code"]) == (401, "key_misplaced")
    assert first["request_id"] == refused.json()["request_id"]
    assert first["fix"] == "Send exactly this header: Authorization: Bearer <your key>"
    assert "first_call" not in done(org)


def test_key__misplaced_and_made_up__is_told_the_same_and_noted_nowhere(gateway: Gateway, org: httpx.Client) -> None:
    key = key_of(org)
    made_up = key[:-8] + ("0" * 8)
    refused = call(gateway, {"authorization": made_up})
    assert (refused.status_code, refused.json()["code"]) == (401, "key_misplaced")
    assert org.get("/v1/onboarding").json()["first_call"]["state"] == "waiting"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({**TURN, "persona_id": "nobody"}, 404, "persona_not_found"),
        ({**TURN, "messages": []}, 422, "invalid_request"),
        ({**TURN, "model": "nobody/nothing"}, 404, "model_not_found"),
    ],
)
def test_first_call__that_is_refused__shows_why_and_what_to_do(
    gateway: Gateway, org: httpx.Client, body: dict[str, Any], status: int, code: str
) -> None:
    refused = call(gateway, {"authorization": f"Bearer {key_of(org)}"}, body)
    assert (refused.status_code, refused.json()["code"]) == (status, code)
    first = shows(org, lambda found: found["state"] == "failed")
    assert (first["status"], first["code"]) == (status, code)
    assert first["fix"]
    assert call(gateway, {"authorization": f"Bearer {key_of(org)}"}).status_code == 200
    shows(org, lambda found: found["state"] == "succeeded")


def test_first_call__with_a_revoked_key__shows(gateway: Gateway, org: httpx.Client) -> None:
    made = org.post("/v1/keys", json={"name": "gone"}).json()
    org.delete(f"/v1/keys/{made['id']}")
    headers = {"authorization": f"Bearer {made['secret']}"}
    eventually(lambda: call(gateway, headers).json()["code"] == "key_revoked", within=2)
    assert shows(org, lambda found: found["state"] == "failed")["code"] == "key_revoked"


def test_onboarding__for_who_may_not_read_requests__has_no_call(people: People) -> None:
    with people.client(people.member("billing"), people.acme) as client:
        shown = client.get("/v1/onboarding").json()
    assert shown["first_call"] is None
    assert len(shown["steps"]) == 7
