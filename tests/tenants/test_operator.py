"""The operator's hand, through the command itself, and what the running product does a moment later; audited in the
organization's own log, with the other organization untouched."""

from __future__ import annotations

import io
import json
import time
from typing import Any
from uuid import uuid4

import httpx
import pytest
from django.core.management import CommandError, call_command

from tests.factories.organizations import committed_database
from tests.harness import Gateway, Org, eventually

__all__ = ["committed_database"]
pytestmark = pytest.mark.usefixtures("committed_database")

CALL = {"model": "ikiro/sandbox", "messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture(scope="module")
def operated(gateway: Gateway) -> Org:
    """An organization that only this file operates on."""
    return gateway.org("operated")


@pytest.fixture
def client(operated: Org, gateway: Gateway):
    with operated.client() as client:
        yield client


def orgs(*words: str) -> str:
    """What ``manage.py orgs …`` prints, its refusal included."""
    out = io.StringIO()
    try:
        call_command("orgs", *words, stdout=out)
    except CommandError as error:
        return f"{out.getvalue()}Error: {error}"
    return out.getvalue()


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json().get("code", "")


def audited(client: httpx.Client, action: str) -> dict[str, Any]:
    (entry,) = client.get("/v1/audit", params={"action": action, "limit": 1}).json()["data"]
    assert entry["actor"] == {"kind": "operator", "id": "cli"}
    return entry


def used(client: httpx.Client) -> int:
    return client.get("/v1/limits").json()["quotas"][0]["used"]


def settled(client: httpx.Client, name: str, value: Any) -> None:
    """Wait until the web process knows a plan limit."""
    eventually(lambda: client.get("/v1/capabilities").json()["limits"][name] == value, within=2)


def test_create__without_waiting__a_worker_builds_it_and_the_list_says_so(gateway: Gateway) -> None:
    slug = f"made-{uuid4().hex[:8]}"
    said = orgs("create", slug, "--plan", "pro")
    assert said.split()[1:3] == [slug, "provisioning"]

    def line() -> list[str]:
        return next(line.split() for line in orgs("list").splitlines() if slug in line.split())

    eventually(lambda: line()[3] == "ready", within=30)
    assert line()[:3] == [said.split()[0], slug, "pro"]
    assert "is taken" in orgs("create", slug)
    assert "is reserved" in orgs("create", "admin")
    assert "only a failed one" in orgs("retry", slug)


def test_suspend__running_traffic__403_within_a_second_and_back_after_resume(
    gateway: Gateway, operated: Org, client: httpx.Client
) -> None:
    with gateway.globex.client() as other:
        before = used(client)
        orgs("suspend", operated.slug)
        changed = time.monotonic()
        eventually(lambda: client.get("/v1/me").status_code == 403, within=1, every=0.02)
        assert time.monotonic() - changed < 1
        for answer in (client.get("/v1/me"), client.post("/v1/chat/completions", json=CALL)):
            assert answer.status_code == 403
        assert refusal(client.get("/v1/me")) == (403, "org_suspended")
        assert client.post("/v1/chat/completions", json=CALL).json()["error"]["code"] == "org_suspended"
        assert other.post("/v1/chat/completions", json=CALL).status_code == 200
        assert any(line.split()[1:4:2] == [operated.slug, "suspended"] for line in orgs("list").splitlines())
        orgs("resume", operated.slug)
        eventually(lambda: client.get("/v1/me").status_code == 200, within=1, every=0.02)
        assert used(client) == before
        entry = audited(client, "organization.suspended")
        assert entry["detail"]["before"] == {"suspended_at": "None"}
        assert audited(client, "organization.resumed")["detail"]["after"] == {"suspended_at": "None"}
        assert entry["id"] not in other.get("/v1/audit?limit=200").text


def test_plan__changed__its_flags_and_limits_hold_within_a_second(
    gateway: Gateway, operated: Org, client: httpx.Client
) -> None:
    orgs("flags", operated.slug, "enable_audit_api=default")
    with gateway.globex.client() as other:
        assert orgs("plan", operated.slug, "pro").strip() == "pro"
        try:
            settled(client, "rate", {"limit": 600, "window_s": 60})
            before = used(client)
            answer = client.get("/v1/audit")
            assert refusal(answer) == (403, "plan_required")
            assert (answer.json()["flag"], answer.json()["plan"]) == ("enable_audit_api", "business")
            assert used(client) == before
            assert other.get("/v1/audit").status_code == 200
        finally:
            orgs("plan", operated.slug, "business")
        eventually(lambda: client.get("/v1/audit").status_code == 200, within=2)
    assert audited(client, "organization.plan_changed")["detail"] == {
        "before": {"plan": "pro"}, "after": {"plan": "business"},
    }  # fmt: skip
    assert orgs("plan", operated.slug).strip() == "business"
    assert "no plan 'gold'" in orgs("plan", operated.slug, "gold")


def test_flag__switched_off__403_names_it_for_this_organization_only(
    gateway: Gateway, operated: Org, client: httpx.Client
) -> None:
    said = orgs("flags", operated.slug, "enable_proposals=off", "enable_audit_api=off")
    assert [line.split() for line in said.splitlines() if line.startswith("enable_proposals")] == [
        ["enable_proposals", "False", "organization"]
    ]
    try:
        eventually(lambda: client.get("/v1/proposals").status_code == 403, within=2)
        for path, flag in (("/v1/proposals", "enable_proposals"), ("/v1/audit", "enable_audit_api")):
            answer = client.get(path)
            assert refusal(answer) == (403, "feature_disabled")
            assert answer.json()["flag"] == flag
        with gateway.globex.client() as other:
            assert other.get("/v1/proposals").status_code == 200
    finally:
        orgs("flags", operated.slug, "enable_proposals=on", "enable_audit_api=default")
    eventually(lambda: client.get("/v1/proposals").status_code == 200, within=2)
    assert "enable_audit_api" not in audited(client, "organization.flags_changed")["detail"]["after"]["flags"]
    for words in (("surprise=on",), ("enable_proposals=perhaps",), ("enable_proposals",)):
        assert "Error" in orgs("flags", operated.slug, *words)


def test_master_switch__off__nothing_answers_and_nothing_is_charged(
    gateway: Gateway, operated: Org, client: httpx.Client
) -> None:
    before = used(client)
    orgs("flags", operated.slug, "enable_gateway_api=off")
    try:
        eventually(lambda: client.get("/v1/me").status_code == 403, within=2)
        answer = client.post("/v1/chat/completions", json=CALL)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "feature_disabled")
    finally:
        orgs("flags", operated.slug, "enable_gateway_api=on")
    eventually(lambda: client.get("/v1/me").status_code == 200, within=2)
    assert used(client) == before


def test_quota__used_up__402_and_nothing_is_charged(gateway: Gateway, operated: Org, client: httpx.Client) -> None:
    now = used(client)
    said = orgs("limits", operated.slug, f"calls={now + 2}")
    assert json.loads(said)["calls"] == now + 2
    try:
        settled(client, "calls_per_month", now + 2)
        answers = [client.post("/v1/chat/completions", json=CALL) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 402, 402]
        assert answers[-1].json()["error"]["code"] == "quota_exceeded"
        turn = {**CALL, "persona_id": "brand-default", "subject_id": "quota"}
        for stream in (False, True):
            assert refusal(client.post("/v1/chat", json={**turn, "stream": stream})) == (402, "quota_exceeded")
        assert used(client) == now + 2
        assert client.get("/v1/me").status_code == 200
        with gateway.globex.client() as other:
            assert other.post("/v1/chat/completions", json=CALL).status_code == 200
    finally:
        orgs("limits", operated.slug, "calls=none")
    settled(client, "calls_per_month", None)
    assert client.post("/v1/chat/completions", json=CALL).status_code == 200


def test_rate__exceeded__429_with_the_time_to_wait_and_nothing_charged(
    gateway: Gateway, operated: Org, client: httpx.Client
) -> None:
    before = used(client)
    orgs("limits", operated.slug, "rate=5", "rate_window_s=10")
    try:
        eventually(lambda: client.get("/v1/me").headers["ratelimit-limit"] == "5", within=2)
        answers = [client.post("/v1/chat/completions", json=CALL) for _ in range(12)]
        refused = [answer for answer in answers if answer.status_code == 429]
        assert {answer.status_code for answer in answers} <= {200, 429}
        assert len(refused) >= 6
        assert {answer.json()["error"]["code"] for answer in refused} == {"rate_limited"}
        assert 1 <= int(refused[-1].headers["retry-after"]) <= 10
        assert refused[-1].headers["ratelimit-limit"] == "5"
        assert refused[-1].headers["ratelimit-remaining"] == "0"
        assert 0 <= int(refused[-1].headers["ratelimit-reset"]) <= 10
        shown = client.get("/v1/me")
        assert refusal(shown) == (429, "rate_limited")
        assert shown.headers["content-type"] == "application/problem+json"
        assert shown.json()["retry_after"] > 0
        with gateway.globex.client() as other:
            assert other.get("/v1/me").status_code == 200
        time.sleep(int(refused[-1].headers["retry-after"]))
        assert client.get("/v1/me").status_code == 200
    finally:
        orgs("limits", operated.slug, "rate=6000", "rate_window_s=60")
    eventually(lambda: client.get("/v1/me").headers.get("ratelimit-limit") == "6000", within=4)
    charged = sum(answer.status_code == 200 for answer in answers)
    eventually(lambda: used(client) == before + charged, within=2)
    rows = client.get("/v1/requests?limit=200").json()["data"]
    let_in = {row["request_id"] for row in rows if row["state"] != "refused"}
    assert not let_in & {answer.headers["x-request-id"] for answer in refused}


@pytest.mark.parametrize("words", [("surprise=5",), ("calls=-1",), ("calls=many",), ("rate=none",), ("rate",)])
def test_limits__that_are_none__are_refused_and_nothing_changes(
    gateway: Gateway, operated: Org, client: httpx.Client, words: tuple[str, ...]
) -> None:
    before = orgs("limits", operated.slug)
    newest = {"action": "organization.limits_changed", "limit": 1}
    audited = client.get("/v1/audit", params=newest).json()["data"][0]["id"]
    assert "Error" in orgs("limits", operated.slug, *words)
    assert orgs("limits", operated.slug) == before
    assert client.get("/v1/audit", params=newest).json()["data"][0]["id"] == audited


@pytest.mark.parametrize("action", ["plan", "limits", "flags", "suspend", "resume", "retry"])
def test_command__for_nobody__says_so(gateway: Gateway, action: str) -> None:
    assert "There is no organization 'nobody-here'" in orgs(action, "nobody-here")


def test_body_limits__set_by_the_environment__hold_for_their_class(gateway: Gateway) -> None:
    """One more web process beside the running one, with limits of its own."""
    small = Gateway(gateway.env, IKIRO_BODY_LIMIT_INFERENCE="2000", IKIRO_BODY_LIMIT_DEFAULT="1000")
    small.web.start()
    try:
        small.wait_ready()
        with Org("acme", gateway.acme.api_key, small.base_url).client() as client:
            for path, limit in (("/v1/chat/completions", 2000), ("/v1/memories/recall", 1000)):
                assert client.post(path, content=b" " * limit).status_code != 413
                over = client.post(path, content=b" " * (limit + 1))
                assert over.status_code == 413
                said = over.json()
                assert said.get("error", said)["code"] == "body_too_large"
            assert client.post("/v1/memories", content=b" " * 3000).status_code != 413
    finally:
        small.web.stop()
