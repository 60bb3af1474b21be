"""``/v1/flags`` and the kill switch in front of the running product."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from django.core.management import CommandError, call_command

from tenants import selectors
from tests.factories.people import People
from tests.harness import Gateway, Org, eventually


@pytest.fixture(scope="module")
def flagged(gateway: Gateway, committed_database: None) -> Org:
    """An organization that only this file changes: on Business, with nothing that the operator gave it besides."""
    made = gateway.org("flagged")
    gated = ("enable_webhooks", "enable_mcp_adapter", "enable_audit_api")
    call_command("orgs", "flags", "flagged", *(f"{key}=default" for key in gated))
    with made.client() as client:
        eventually(lambda: flag(client, "enable_audit_api")["source"] == "plan", within=5)
    return made


@pytest.fixture
def owner(people: People, flagged: Org) -> Iterator[httpx.Client]:
    someone = people.member("owner", of=flagged)
    return people.client(someone, selectors.organization_by_slug("flagged").ref)


def flag(client: httpx.Client, key: str) -> dict[str, Any]:
    answer = client.get(f"/v1/flags/{key}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json().get("code", "")


def test_list__a_key__sees_every_flag_and_no_names(flagged: Org) -> None:
    with flagged.client() as client:
        answer = client.get("/v1/flags").raise_for_status().json()
        history = client.get("/v1/flags/enable_webhooks/history")
        put = client.put("/v1/flags/enable_webhooks", json={"value": False, "reason": "no"})
    shown = {one["key"]: one for one in answer["data"]}
    assert len(shown) == 14
    assert shown["enable_webhooks"]["source"] == "plan"
    assert (shown["enable_webhooks"]["plan"], shown["enable_webhooks"]["range"]) == ("pro", None)
    assert shown["cache-memory-ttl-seconds"]["range"] == {"least": 0, "most": 86_400, "unit": "seconds"}
    assert all(one["last_change"] is None for one in shown.values())
    assert [refusal(one) for one in (history, put)] == [(403, "user_token_required")] * 2
    with flagged.client() as client:
        assert flag(client, "enable_webhooks")["value"] is True


def test_put__an_owner__changes_it_at_once_with_reason_and_history(
    owner: httpx.Client, flagged: Org, gateway: Gateway
) -> None:
    before = flag(owner, "enable_precompose")
    changed = owner.put(
        "/v1/flags/enable_precompose",
        json={"value": False, "reason": "not reviewed yet"},
        headers={"if-match": f'"{before["version"]}"'},
    )
    assert changed.status_code == 200, changed.text
    shown = changed.json()
    assert (shown["value"], shown["source"], shown["set_by"]) == (False, "organization", "organization")
    assert shown["version"] == before["version"] + 1
    assert shown["last_change"]["reason"] == "not reviewed yet"
    assert shown["last_change"]["by"].startswith("user:usr_")
    wanted = {"persona_id": "brand-default", "subject_id": "usr_1", "query": "Well?"}
    with flagged.client() as closed, gateway.globex.client() as open_:
        assert refusal(closed.post("/v1/packs/precompose", json=wanted)) == (403, "feature_disabled")
        assert open_.post("/v1/packs/precompose", json=wanted).status_code == 200
    stale = owner.put(
        "/v1/flags/enable_precompose",
        json={"value": True, "reason": "late"},
        headers={"if-match": f'"{before["version"]}"'},
    )
    assert refusal(stale) == (409, "flag_changed")
    assert flag(owner, "enable_precompose")["version"] == shown["version"]
    back = owner.delete("/v1/flags/enable_precompose", params={"reason": "reviewed"})
    assert (back.json()["value"], back.json()["set_by"]) == (True, "operator")
    first, second = owner.get("/v1/flags/enable_precompose/history", params={"limit": 2}).json()["data"]
    assert (first["before"], first["after"], first["reason"]) == (False, None, "reviewed")
    assert (second["before"], second["after"], second["reason"]) == (None, False, "not reviewed yet")
    assert second["request_id"] == changed.headers["x-request-id"]
    (override,) = owner.get("/v1/flags/enable_webhooks/history", params={"limit": 1}).json()["data"]
    assert (override["override"], override["by"], override["after"]) == (True, "operator:cli", None)
    page = owner.get("/v1/flags/enable_precompose/history", params={"limit": 1}).json()
    assert (len(page["data"]), page["next_cursor"] is None) == (1, False)


def test_put__a_feature_that_is_switched_off__closes_its_endpoints_and_no_others(
    owner: httpx.Client, flagged: Org, gateway: Gateway
) -> None:
    put = owner.put("/v1/flags/enable_proposals", json={"value": False, "reason": "quiet please"})
    assert put.status_code == 200
    try:
        refused = owner.get("/v1/proposals")
        assert (*refusal(refused), refused.json()["flag"]) == (403, "feature_disabled", "enable_proposals")
        with gateway.globex.client() as other:
            assert other.get("/v1/proposals").status_code == 200
    finally:
        owner.delete("/v1/flags/enable_proposals", params={"reason": "enough"}).raise_for_status()
    assert owner.get("/v1/proposals").status_code == 200


@pytest.mark.parametrize(
    ("key", "body", "expected"),
    [
        ("gateway_rate_limit_pro", {"value": 5, "reason": "more"}, (403, "operator_only")),
        ("enable_gateway_api", {"value": False, "reason": "off"}, (403, "operator_only")),
        ("nothing", {"value": True, "reason": "x"}, (404, "flag_not_found")),
        ("enable_webhooks", {"value": 1, "reason": "x"}, (422, "invalid_flag")),
        ("cache-memory-ttl-seconds", {"value": True, "reason": "x"}, (422, "invalid_flag")),
        ("cache-memory-ttl-seconds", {"value": 86_401, "reason": "x"}, (422, "invalid_flag")),
        ("enable_webhooks", {"value": True}, (422, "invalid_request")),
        ("enable_webhooks", {"value": True, "reason": "  "}, (422, "invalid_request")),
        ("enable_webhooks", {"value": True, "reason": "x", "more": 1}, (422, "invalid_request")),
    ],
)
def test_put__what_may_not_be__is_refused_and_nothing_changes(
    owner: httpx.Client, key: str, body: dict[str, Any], expected: tuple[int, str]
) -> None:
    before = owner.get("/v1/flags").json()
    assert refusal(owner.put(f"/v1/flags/{key}", json=body)) == expected
    assert owner.get("/v1/flags").json() == before


def test_put__above_the_plan__is_refused_and_a_choice_waits_for_its_plan(owner: httpx.Client, flagged: Org) -> None:
    owner.put("/v1/flags/enable_audit_api", json={"value": True, "reason": "we need it"}).raise_for_status()
    call_command("orgs", "plan", "flagged", "free")
    try:
        eventually(lambda: flag(owner, "enable_audit_api")["value"] is False, within=5)
        assert flag(owner, "enable_audit_api")["source"] == "default"
        refused = owner.put("/v1/flags/enable_webhooks", json={"value": True, "reason": "please"})
        assert (*refusal(refused), refused.json()["plan"]) == (403, "plan_required", "pro")
        assert flag(owner, "enable_webhooks")["value"] is False
        assert refusal(owner.get("/v1/audit")) == (403, "plan_required")
    finally:
        call_command("orgs", "plan", "flagged", "business")
    eventually(lambda: flag(owner, "enable_audit_api")["value"] is True, within=5)
    owner.delete("/v1/flags/enable_audit_api", params={"reason": "by plan"}).raise_for_status()


def test_kill__a_feature__is_off_everywhere_within_a_second_and_says_why(
    owner: httpx.Client, gateway: Gateway, committed_database: None
) -> None:
    with gateway.globex.client() as other:
        assert other.get("/v1/audit").status_code == 200
        call_command("flags", "kill", "enable_audit_api", "--reason", "leaks under load")
        try:
            eventually(lambda: refusal(other.get("/v1/audit")) == (403, "feature_disabled"), within=2, every=0.02)
            assert other.get("/v1/audit").json()["reason"] == "killed"
            shown = flag(owner, "enable_audit_api")
            assert (shown["value"], shown["source"], shown["killed"]["reason"]) == (False, "killed", "leaks under load")
            chosen = owner.put("/v1/flags/enable_audit_api", json={"value": True, "reason": "I want it"})
            assert chosen.json()["value"] is False
        finally:
            call_command("flags", "revive", "enable_audit_api", "--reason", "mended")
        eventually(lambda: other.get("/v1/audit").status_code == 200, within=2, every=0.02)
    assert flag(owner, "enable_audit_api")["killed"] is None
    for words in (("kill", "gateway_rate_limit_pro"), ("kill", "nothing"), ("revive", "enable_audit_api")):
        with pytest.raises(CommandError):
            call_command("flags", *words, "--reason", "x")


def test_flag__for_a_viewer__shows_its_value_and_not_who_chose_it(
    owner: httpx.Client, people: People, flagged: Org
) -> None:
    owner.put("/v1/flags/cache-memory-ttl-seconds", json={"value": 60, "reason": "fresher"}).raise_for_status()
    viewer = people.client(people.member("viewer", of=flagged), selectors.organization_by_slug("flagged").ref)
    try:
        shown = flag(viewer, "cache-memory-ttl-seconds")
        assert (shown["value"], shown["source"], shown["set_by"]) == (60, "organization", "organization")
        assert (shown["version"] > 0, shown["last_change"]) == (True, None)
        refused = viewer.put("/v1/flags/cache-memory-ttl-seconds", json={"value": 0, "reason": "mine"})
        assert refusal(refused) == (403, "scope_missing")
        assert flag(viewer, "cache-memory-ttl-seconds")["value"] == 60
    finally:
        owner.delete("/v1/flags/cache-memory-ttl-seconds", params={"reason": "as before"}).raise_for_status()
