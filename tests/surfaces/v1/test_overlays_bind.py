"""What the locks of a team and of a subject bind besides a turn: recall, proposals, who may change a team; for two
organizations, over HTTP."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.harness import Gateway
from tests.surfaces import clients

acme, globex = clients.acme, clients.globex
Answer = httpx.Response


@pytest.fixture
def who() -> str:
    return f"bound-{secrets.token_hex(5)}"


@pytest.fixture
def team(acme: httpx.Client) -> str:
    made = acme.post("/v1/teams", json={"id": f"team-{secrets.token_hex(5)}", "name": "Support"})
    return str(ok(made, 201)["id"])


def ok(answer: Answer, status: int = 200) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


def refusal(answer: Answer) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def lock(client: httpx.Client, target: str, locks: dict[str, Any], **more: Any) -> None:
    ok(client.put(f"/v1/policies/overlays/{target}", json={"locks": locks, **more}))


def remember(client: httpx.Client, who: str) -> None:
    for scope in ("calendar", "gmail"):
        item = {"subject_id": who, "text": f"The harbour walk is in {scope}", "provenance": {"source": scope}}
        ok(client.post("/v1/memories", json=item), 201)


def own(found: set[str]) -> set[str]:
    """Without what the organization knows, which stands beside what is known of anybody."""
    return found - {"org_kb"}


def recalled(client: httpx.Client, who: str, *scopes: str) -> set[str]:
    asked: dict[str, Any] = {"subject_id": who, "query": "harbour walk"}
    if scopes:
        asked["memory_scopes"] = list(scopes)
    return {one["provenance"]["source"] for one in ok(client.post("/v1/memories/recall", json=asked))["data"]}


def draft(who: str) -> dict[str, Any]:
    payload = {"to": ["ann@example.com"], "subject": "Hello", "body": "A word"}
    return {"type": "email.draft", "payload": payload, "subject_id": who}


def test_recall__team_of_the_subject_or_of_the_key__searches_what_its_lock_allows(
    acme: httpx.Client, globex: httpx.Client, gateway: Gateway, who: str, team: str
) -> None:
    for client in (acme, globex):
        remember(client, who)
    secret = ok(acme.post("/v1/keys", json={"name": "of the team", "team_ids": [team]}), 201)["secret"]
    assert own(recalled(acme, who)) == {"calendar", "gmail"}
    lock(acme, f"team/{team}", {"memory_scopes": ["calendar"]})
    with gateway.acme.client(secret) as member:
        assert recalled(member, who) == {"calendar"}
    assert recalled(acme, who, "gmail") == {"gmail"}
    ok(acme.put(f"/v1/subjects/{who}", json={"team_ids": [team]}))
    assert (recalled(acme, who), recalled(acme, who, "gmail")) == ({"calendar"}, set())
    assert recalled(globex, who, "gmail") == {"gmail"}


def test_recall__lock_of_the_subject__searches_nothing(acme: httpx.Client, globex: httpx.Client, who: str) -> None:
    for client in (acme, globex):
        remember(client, who)
    lock(acme, f"user/{who}", {"memory_scopes": []})
    assert (recalled(acme, who), recalled(acme, who, "gmail")) == (set(), set())
    assert own(recalled(globex, who)) == {"calendar", "gmail"}


def test_proposal__team_of_the_subject__refuses_it_when_made_and_when_carried_out(
    acme: httpx.Client, globex: httpx.Client, who: str, team: str
) -> None:
    ok(acme.put(f"/v1/subjects/{who}", json={"team_ids": [team]}))
    before = ok(acme.post("/v1/proposals", json=draft(who)), 201)
    lock(acme, f"team/{team}", {"write_targets": ["memory.*"]})
    refused = acme.post("/v1/proposals", json=draft(who))
    assert refused.status_code == 422, refused.text
    assert [one["code"] for one in refused.json()["errors"]] == ["policy_refused"]
    assert f"team:{team}" in refused.text
    listed = ok(acme.get("/v1/proposals", params={"subject_id": who}))["data"]
    assert [one["id"] for one in listed] == [before["id"]]
    ok(acme.post(f"/v1/proposals/{before['id']}/approve", json={}))
    failed = ok(acme.get(f"/v1/proposals/{before['id']}"))
    assert (failed["state"], failed["error"]["code"]) == ("failed", "policy_refused")
    assert f"team:{team}" in failed["error"]["detail"]
    assert ok(acme.get("/v1/memories", params={"subject_id": who}))["data"] == []
    theirs = ok(globex.post("/v1/proposals", json=draft(who)), 201)
    assert ok(globex.post(f"/v1/proposals/{theirs['id']}/approve", json={}))["state"] == "executed"


def test_auto_approval__default_against_a_locked_class__waits_for_a_person(
    acme: httpx.Client, globex: httpx.Client, who: str
) -> None:
    said = {
        "model": "ikiro/sandbox", "persona_id": "brand-default", "subject_id": who,
        "messages": [{"role": "user", "content": "Please remember that my cat is called Minka."}],
    }  # fmt: skip
    auto = {"writes": {"approval": "auto", "min_confidence": 0, "auto_types": ["*.upsert"]}}
    states = []
    for client, locks in (
        (acme, {"writes": {"auto_types": ["[!m]*"]}}),
        (globex, {"writes": {"auto_types": ["*.upsert"]}}),
    ):
        lock(client, f"user/{who}", locks, defaults=auto)
        (proposed,) = ok(client.post("/v1/chat", json=said))["proposedWrites"]
        states.append(ok(client.get(f"/v1/proposals/{proposed['proposal_id']}"))["state"])
    assert states == ["pending", "executed"]
    assert ok(acme.get("/v1/memories", params={"subject_id": who}))["data"] == []


@pytest.mark.parametrize("narrowed", ["subject_ids", "persona_ids"])
def test_narrowed_key__teams_and_who_is_in_them__are_not_its_to_change(
    acme: httpx.Client, gateway: Gateway, who: str, team: str, narrowed: str
) -> None:
    lock(acme, f"team/{team}", {"denied_tools": ["shell*"]})
    ok(acme.put(f"/v1/subjects/{who}", json={"team_ids": [team]}))
    scopes = ["policies:read", "policies:write", "memories:read", "memories:write"]
    wanted = {"name": "narrow", "scopes": scopes, narrowed: [who if narrowed == "subject_ids" else "brand-default"]}
    secret = ok(acme.post("/v1/keys", json=wanted), 201)["secret"]
    path, new = f"/v1/teams/{team}", f"new-{secrets.token_hex(4)}"
    attempts: list[Callable[[httpx.Client], Answer]] = [
        lambda client: client.delete(path, params={"force": True}),
        lambda client: client.delete(path),
        lambda client: client.put(path, json={"name": "Other"}),
        lambda client: client.post("/v1/teams", json={"id": new, "name": "New"}),
        lambda client: client.put(f"/v1/subjects/{who}", json={"team_ids": []}),
    ]
    with gateway.acme.client(secret) as narrow:
        for attempt in attempts:
            assert refusal(attempt(narrow)) == (403, "whole_organization_only")
        ok(narrow.put(f"/v1/subjects/{who}", json={"display_name": "Ann", "team_ids": [team]}))
    assert ok(acme.get(path))["name"] == "Support"
    assert refusal(acme.get(f"/v1/teams/{new}")) == (404, "team_not_found")
    seen = ok(acme.get("/v1/policies/effective", params={"subject": who}))
    assert (seen["teams"], seen["denied_tools"]) == ([team], ["shell*"])


def test_effective__empty_words__are_no_team_and_no_scope(acme: httpx.Client, team: str) -> None:
    seen = ok(acme.get("/v1/policies/effective", params={"team": "", "memory_scopes": ""}))
    assert (seen["teams"], seen["memory_scopes"]) == ([], [])
    seen = ok(acme.get("/v1/policies/effective", params={"team": f" {team}, ", "memory_scopes": "gmail,,"}))
    assert (seen["teams"], seen["memory_scopes"]) == ([team], ["gmail"])


def test_route__first_target_forbidden_to_the_subject__goes_to_the_next_and_explain_says_so(
    acme: httpx.Client, globex: httpx.Client, upstream: Any, who: str
) -> None:
    alias, second = f"either-{who}", "openai/fake:normal"
    targets = {"targets": [{"model": "ikiro/sandbox"}, {"model": second}]}
    said = {"model": alias, "persona_id": "brand-default", "subject_id": who}
    said["messages"] = [{"role": "user", "content": "Hello"}]  # type: ignore[assignment]
    for client in (acme, globex):
        ok(client.put(f"/v1/models/aliases/{alias}", json=targets))
    try:
        lock(acme, f"user/{who}", {"denied_models": ["ikiro/*"]})
        explained = ok(acme.post("/v1/explain", json=said))
        assert (explained["would"], explained["targets"]) == ("allowed", [second])
        assert ok(acme.post("/v1/chat", json=said))["model"] == second
        assert ok(acme.post("/v1/chat", json={**said, "subject_id": f"{who}-other"}))["model"] == "ikiro/sandbox"
        assert ok(globex.post("/v1/chat", json=said))["model"] == "ikiro/sandbox"
        lock(acme, f"user/{who}", {"denied_models": ["*"]})
        upstream.reset()
        assert refusal(acme.post("/v1/chat", json=said)) == (403, "policy_refused")
        assert ok(acme.post("/v1/explain", json=said))["error"]["code"] == "policy_refused"
        assert upstream.calls() == []
    finally:
        for client in (acme, globex):
            client.delete(f"/v1/models/aliases/{alias}")
