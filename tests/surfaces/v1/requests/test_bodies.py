"""Bodies: kept only when asked for, masked and sealed, for whoever may see them; settings; replay."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from django.db import connection

from gateway.core import ids
from tests.factories.people import People
from tests.harness import Gateway, Org, eventually

SECRET = "sk-proj-" + "A1b2C3d4" * 4
CARD = "4111 1111 1111 1111"


@pytest.fixture
def storing(owner: httpx.Client, org: Org) -> Any:
    """Bodies are kept meanwhile, and every worker knows."""
    changed = owner.patch("/v1/organization/settings", json={"store_bodies": True, "body_retention_days": 3})
    assert changed.status_code == 200, changed.text
    eventually(lambda: owner.get("/v1/organization/settings").json()["store_bodies"], within=15)
    yield
    owner.patch("/v1/organization/settings", json={"store_bodies": None, "body_retention_days": None})
    eventually(lambda: not owner.get("/v1/organization/settings").json()["store_bodies"], within=15)


def _bodies(client: httpx.Client, request_id: str) -> dict[str, Any] | None:
    answer = client.get(f"/v1/requests/{request_id}/body")
    found = {one["part"]: one for one in answer.json()["parts"]} if answer.status_code == 200 else {}
    return found if len(found) == 2 else None


def test_settings__changed_by_the_owner_only__are_checked_and_shown(
    gateway: Gateway, org: Org, owner: httpx.Client, client: httpx.Client, people: People
) -> None:
    from tenants import selectors

    developer = people.client(people.member("developer", of=org), selectors.organization_by_slug(org.slug).ref)
    for refused in (client, developer):
        assert refused.patch("/v1/organization/settings", json={"store_bodies": True}).status_code == 403
    for wrong in ({"body_retention_days": 91}, {"body_retention_days": 0}, {"colour": 1}, {"store_bodies": "yes"}):
        assert owner.patch("/v1/organization/settings", json=wrong).status_code == 422
    before = client.get("/v1/organization/settings").json()
    assert before == {
        "store_bodies": False, "body_retention_days": 7, "conversation_retention_days": 90,
        "request_retention_days": 90, "memory_hard_cap": False, "on_disconnect": "cancel",
    }  # fmt: skip
    changed = owner.patch("/v1/organization/settings", json={"request_retention_days": 30, "memory_hard_cap": True})
    assert changed.json() == {**before, "request_retention_days": 30, "memory_hard_cap": True}
    assert (
        owner.patch("/v1/organization/settings", json={"request_retention_days": None, "memory_hard_cap": None}).json()
        == before
    )
    with gateway.globex.client() as other:
        assert other.get("/v1/organization/settings").json()["request_retention_days"] == 90


def test_bodies__nobody_asked_for_them__are_never_stored(client: httpx.Client, org: Org, say, listed, subject) -> None:
    request_id = say().json()["request_id"]
    listed(f"subject:{subject}", 1)
    answer = client.get(f"/v1/requests/{request_id}/body")
    assert (answer.status_code, answer.json()["code"]) == (409, "no_body")
    assert client.post(f"/v1/requests/{request_id}/replay", json={}).json()["code"] == "no_body"
    assert _rows(org, request_id) == []


def test_bodies__asked_for__are_masked_and_sealed_and_for_few(
    gateway: Gateway, org: Org, owner: httpx.Client, client: httpx.Client, people: People, subject: str, storing, say
) -> None:
    from tenants import selectors

    said = say(f"My key is {SECRET} and my card {CARD}", metadata={"card": CARD})
    request_id = said.json()["request_id"]
    found = eventually(lambda: _bodies(client, request_id), within=20)
    sent, answered = json.loads(found["request"]["body"]), json.loads(found["response"]["body"])
    assert sent["messages"][0]["content"] == "My key is [secret] and my card [card]"
    assert sent["metadata"] == {"card": "[card]"}
    assert answered["request_id"] == request_id
    assert (found["request"]["path"], found["request"]["truncated"]) == ("/v1/chat", False)
    assert client.get(f"/v1/requests/{request_id}").json()["bodies"] == ["request", "response"]
    for planted in (SECRET, CARD, "My key is"):
        assert all(planted.encode() not in sealed for sealed in _rows(org, request_id))
        assert planted not in client.get(f"/v1/requests/{request_id}").text
    assert len(_rows(org, request_id)) == 2
    ref = selectors.organization_by_slug(org.slug).ref
    assert (
        people.client(people.member("developer", of=org), ref).get(f"/v1/requests/{request_id}/body").status_code == 200
    )
    for role in ("viewer", "reviewer"):
        refused = people.client(people.member(role, of=org), ref).get(f"/v1/requests/{request_id}/body")
        assert (refused.status_code, refused.json()["code"]) == (403, "role_not_allowed")
    with gateway.globex.client() as other:
        assert other.get(f"/v1/requests/{request_id}/body").status_code == 404
        assert other.post(f"/v1/requests/{request_id}/replay", json={}).status_code == 404

    def audited() -> bool:
        log = owner.get("/v1/audit?limit=50").json()["data"]
        return any(one["action"] == "request.body_read" and one["target"] == request_id for one in log)

    eventually(audited, within=20)


def test_bodies__of_a_stream__are_put_together_before_they_are_masked(
    client: httpx.Client, storing, say, subject: str
) -> None:
    with client.stream(
        "POST",
        "/v1/chat/completions",
        json={
            "model": "openai/fake:normal", "stream": True,
            "messages": [{"role": "user", "content": f"Keep {SECRET}"}],
        },
    ) as answer:  # fmt: skip
        assert answer.status_code == 200, answer.read()
        answer.read()
        request_id = answer.headers["x-request-id"]
    found = eventually(lambda: _bodies(client, request_id), within=20)
    kept = json.loads(found["response"]["body"])
    assert kept["stream"] is True
    assert "Hello from the fake upstream ." in " ".join(kept["text"].values())
    assert SECRET not in found["request"]["body"]


def test_replay__a_kept_request__runs_again_as_the_caller_and_is_linked(
    gateway: Gateway, org: Org, owner: httpx.Client, client: httpx.Client, subject: str, storing, say
) -> None:
    parent = say("Hello").json()["request_id"]
    eventually(lambda: _bodies(client, parent), within=20)
    again = client.post(f"/v1/requests/{parent}/replay", json={"persona_version": 1}, headers={"idempotency-key": "r1"})
    assert again.status_code == 200, again.text
    child = again.json()["request_id"]
    assert child == again.headers["x-request-id"] != parent
    shown = client.get(f"/v1/requests/{child}").json()
    assert (shown["parent_id"], shown["status"], shown["subject_id"]) == (parent, 200, subject)

    def linked() -> bool:
        rows = client.get("/v1/requests", params={"q": f"parent:{parent}"}).json()["data"]
        return [row["request_id"] for row in rows] == [child]

    eventually(linked, within=30)
    assert client.post(f"/v1/requests/{parent}/replay", json={"model": "nobody/none"}).status_code == 404
    assert client.post(f"/v1/requests/{parent}/replay", json={"other": 1}).status_code == 422
    reader = owner.post("/v1/keys", json={"name": "reader", "scopes": ["requests:read"]}).json()
    with org.client(reader["secret"]) as narrow:
        eventually(lambda: narrow.get(f"/v1/requests/{parent}").status_code == 200, within=10)
        refused = narrow.post(f"/v1/requests/{parent}/replay", json={})
        assert (refused.status_code, refused.json()["code"]) == (403, "scope_missing")


def test_bodies__of_a_refused_turn__are_kept_as_its_own_policy_says(
    gateway: Gateway, client: httpx.Client, subject: str, storing, say
) -> None:
    merger = {"blocklist": [{"name": "m", "phrases": ["merger"], "input": "block"}]}
    locks = {"redact_mode": "strict", "guardrails": merger, "denied_models": ["openai/denied*"]}
    text = "The merger: write to ada@example.com"

    def refusals(whose: str, days: int) -> list[str]:
        overlay = {"locks": {**locks, "retention": {"body_days": days}}}
        client.put(f"/v1/policies/overlays/user/{whose}", json=overlay).raise_for_status()
        blocked = say(text, subject_id=whose)
        denied = say("Write to ada@example.com", subject_id=whose, model="openai/denied-1")
        assert [one.json()["code"] for one in (blocked, denied)] == ["guardrail_blocked", "policy_refused"]
        return [one.headers["x-request-id"] for one in (blocked, denied)]

    never = refusals(f"{subject}-never", 0)
    unknown = say(text, persona_id="nobody")
    assert unknown.status_code == 404
    for request_id in refusals(subject, 2):
        found = eventually(lambda one=request_id: _bodies(client, one), within=20)
        assert "write to [email]" in found["request"]["body"].lower()
        kept_for = datetime.fromisoformat(found["request"]["expires_at"]) - datetime.now(UTC)
        assert timedelta(days=1) < kept_for < timedelta(days=2)
    # Those came later, so what was to be kept of these is.
    for request_id in (*never, unknown.headers["x-request-id"]):
        assert client.get(f"/v1/requests/{request_id}/body").json()["code"] == "no_body"
    with gateway.globex.client() as other:
        assert say(text, by=other).status_code == 200


def _rows(org: Org, request_id: str) -> list[bytes]:
    """What the table holds of a request's bodies."""
    from tenants import selectors
    from tenants.context import scope

    with scope(selectors.organization_by_slug(org.slug).ref), connection.cursor() as cursor:
        cursor.execute("SELECT body_ciphertext FROM request_body WHERE request_id = %s", [ids.parse("req", request_id)])
        return [bytes(row[0]) for row in cursor.fetchall()]


@pytest.mark.parametrize("days", [0, 1])
def test_bodies__of_a_pass_through__are_kept_as_the_policy_says(
    client: httpx.Client, gateway: Gateway, storing, days: int
) -> None:
    path = "/v1/policies/overlays/organization"
    policy = {"locks": {"retention": {"body_days": days}}, "defaults": {"redact_mode": "strict"}}
    asked = {"model": "ikiro/sandbox", "messages": [{"role": "user", "content": "Write to ada@example.com"}]}

    def kept(by: httpx.Client) -> list[dict[str, Any]]:
        answer = by.post("/v1/chat/completions", json=asked)
        assert answer.status_code == 200, answer.text
        place = f"/v1/requests/{answer.headers['x-request-id']}"
        eventually(lambda: by.get(place).json().get("latency_ms") is not None, within=30)
        if days == 0:
            return list(by.get(f"{place}/body").json().get("parts", ()))
        parts = eventually(lambda: _bodies(by, answer.headers["x-request-id"]), within=20)
        return list(parts.values())

    client.put(path, json=policy).raise_for_status()
    try:
        if days == 0:
            assert eventually(lambda: kept(client) == [], within=20)
            return

        def soon() -> bool:
            latest = max(datetime.fromisoformat(part["expires_at"]) for part in kept(client))
            return latest <= datetime.now(UTC) + timedelta(days=1)

        assert eventually(soon, within=20)
        assert all("ada@example.com" not in part["body"] for part in kept(client))
    finally:
        client.put(path, json={"locks": {}, "defaults": {}}).raise_for_status()
