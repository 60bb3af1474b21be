"""Limits that an organization sets, over HTTP: what is left, who is refused by which one, and that a refusal costs
nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.harness import Gateway, Org, eventually

CALL = {"model": "openai/gpt-4o-mini", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 20}
FREE = {**CALL, "model": "ikiro/sandbox"}


@pytest.fixture(scope="module")
def limited(gateway: Gateway) -> Org:
    """An organization that only this file limits."""
    return gateway.org("limited")


@pytest.fixture
def client(limited: Org) -> Iterator[httpx.Client]:
    with limited.client() as client:
        yield client


@pytest.fixture
def rule(client: httpx.Client) -> Iterator[Callable[..., dict[str, Any]]]:
    """Makes a rule that every worker knows when it returns, and removes it afterwards."""
    made: list[str] = []

    def make(**fields: Any) -> dict[str, Any]:
        answer = client.post("/v1/limits/rules", json=fields)
        assert answer.status_code == 201, answer.text
        shown: dict[str, Any] = answer.json()
        made.append(shown["id"])
        assert eventually(lambda: shown["id"] in rules(client), within=5)
        return shown

    yield make
    for rule_id in made:
        client.delete(f"/v1/limits/rules/{rule_id}")
    assert eventually(lambda: not set(made) & set(rules(client)), within=5)


def rules(client: httpx.Client) -> dict[str, dict[str, Any]]:
    return {shown["id"]: shown for shown in client.get("/v1/limits/rules").json()["data"]}


def a_key(client: httpx.Client, **fields: Any) -> dict[str, Any]:
    answer = client.post("/v1/keys", json={"name": "limited", **fields})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def limits(client: httpx.Client, **params: str) -> dict[str, Any]:
    answer = client.get("/v1/limits", params=params)
    assert answer.status_code == 200, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


def test_limits__of_a_key_with_rate_and_budget__shows_both_and_for_itself_alone(
    limited: Org, client: httpx.Client, gateway: Gateway
) -> None:
    budget = {"limit_micros": 5_000_000, "window": "day", "hard": True}
    made = a_key(client, rate={"limit": 50, "window_s": 60}, budget=budget)
    with limited.client(made["secret"]) as mine:
        assert eventually(lambda: mine.get("/v1/me").status_code == 200, within=5)
        assert mine.post("/v1/chat/completions", json=CALL).status_code == 200
        shown = limits(mine)
    [key_rate] = [one for one in shown["rates"] if one["scope"] == "key"]
    assert (key_rate["limit"], key_rate["window_s"], key_rate["rule_id"]) == (50, 60, None)
    assert key_rate["remaining"] < 50
    assert datetime.fromisoformat(key_rate["reset_at"]) > datetime.now(UTC)
    [of_key] = shown["budgets"]
    assert (of_key["scope"], of_key["key_id"], of_key["limit_micros"]) == ("key", made["id"], 5_000_000)
    assert 0 < of_key["spent_micros"] < 5_000_000
    assert of_key["remaining_micros"] == 5_000_000 - of_key["spent_micros"] - of_key["reserved_micros"]
    assert datetime.fromisoformat(of_key["reset_at"]).hour == 0
    # The same by its id; and another organization's key does not exist here.
    assert limits(client, key_id=made["id"])["budgets"][0]["key_id"] == made["id"]
    assert limits(client)["budgets"] == []
    with gateway.globex.client() as other:
        assert other.get("/v1/limits", params={"key_id": made["id"]}).status_code == 404


def test_key_rate__exceeded__429_names_the_key_and_other_keys_go_on(limited: Org, client: httpx.Client) -> None:
    made = a_key(client, rate={"limit": 3, "window_s": 3600})
    with limited.client(made["secret"]) as mine:
        assert eventually(lambda: mine.get("/v1/me").status_code in (200, 429), within=5)
        refused = [mine.get("/v1/me") for _ in range(4)][-1]
    problem = refused.json()
    assert (refused.status_code, problem["code"]) == (429, "rate_limited")
    assert (problem["limit"]["scope"], problem["limit"]["limit"], problem["limit"]["window_s"]) == ("key", 3, 3600)
    assert int(refused.headers["retry-after"]) > 1000
    assert (refused.headers["ratelimit-limit"], refused.headers["ratelimit-remaining"]) == ("3", "0")
    assert client.get("/v1/me").headers["ratelimit-limit"] != "3"


def test_hard_budget__that_does_not_cover_the_call__402_before_the_model_and_nothing_is_spent(
    limited: Org, client: httpx.Client, gateway: Gateway, upstream: Any
) -> None:
    made = a_key(client, budget={"limit_micros": 1, "window": "month"})
    with limited.client(made["secret"]) as mine:
        assert eventually(lambda: mine.get("/v1/me").status_code == 200, within=5)
        refused = mine.post("/v1/chat/completions", json=CALL)
        assert refused.status_code == 402, refused.text
        assert refused.json()["error"]["code"] == "budget_exceeded"
        assert limits(mine)["budgets"][0]["spent_micros"] == 0
        assert limits(mine)["budgets"][0]["reserved_micros"] == 0
    with gateway.globex.client() as other:
        assert other.post("/v1/chat/completions", json=CALL).status_code == 200


def test_rule__tokens_per_key__refuses_the_call_that_may_use_more(client: httpx.Client, rule: Any) -> None:
    made = rule(level="key", kind="tokens", limit=300, window=3600)
    refused = client.post("/v1/chat/completions", json={**FREE, "max_tokens": 4000})
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "token_rate_limited")
    assert client.post("/v1/chat/completions", json=FREE).status_code == 200
    [shown] = [one for one in limits(client)["rates"] if one["kind"] == "tokens"]
    assert (shown["rule_id"], shown["limit"], shown["scope"]) == (made["id"], 300, "key")
    # What the call did not use of its upper bound is there again.
    assert 200 < shown["remaining"] < 300


def test_rule__concurrency__one_at_a_time_and_free_again_after_it(client: httpx.Client, rule: Any) -> None:
    made = rule(level="organization", kind="concurrency", limit=1)
    slow = {**CALL, "model": "openai/fake:delay,chunks=30,pace_ms=50", "stream": True}
    with client.stream("POST", "/v1/chat/completions", json=slow) as answer:
        assert answer.status_code == 200
        lines = answer.iter_lines()
        next(lines)
        refused = client.post("/v1/chat/completions", json=FREE)
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "concurrency_limited")
        assert int(refused.headers["retry-after"]) >= 1
        [shown] = limits(client)["concurrency"]
        assert (shown["rule_id"], shown["open"], shown["remaining"]) == (made["id"], 1, 0)
        assert list(lines)
    assert eventually(lambda: client.post("/v1/chat/completions", json=FREE).status_code == 200, within=10)


def test_rule__in_shadow__refuses_nobody_and_says_so_in_the_decision_record(client: httpx.Client, rule: Any) -> None:
    made = rule(level="organization", kind="budget", limit=1, window="month", shadow=True)
    answer = client.post("/v1/chat/completions", json=CALL)
    assert answer.status_code == 200
    path = f"/v1/requests/{answer.headers['x-request-id']}"
    assert eventually(lambda: client.get(path).json().get("state") == "settled", within=15)
    record = client.get(path).text
    assert made["id"] in record
    assert "would_refuse" in record


def test_rule__of_a_subject__limits_each_by_itself(client: httpx.Client, rule: Any) -> None:
    rule(level="subject", kind="requests", limit=1, window=3600)
    turn = {"model": "ikiro/sandbox", "persona_id": "brand-default", "messages": [{"role": "user", "content": "hi"}]}

    def ask(subject: str) -> httpx.Response:
        return client.post("/v1/chat", json={**turn, "subject_id": subject})

    assert ask("limit-ann").status_code == 200
    refused = ask("limit-ann")
    assert (refused.status_code, refused.json()["limit"]["scope"]) == (429, "subject")
    assert ask("limit-bob").status_code == 200
    [mine] = [one for one in limits(client, subject_id="limit-ann")["rates"] if one["scope"] == "subject"]
    assert mine["remaining"] == 0


def test_rule__raised_for_a_while__holds_at_once_and_ends_when_told(client: httpx.Client, rule: Any) -> None:
    made = rule(level="organization", kind="tokens", limit=10, window=3600)
    path = f"/v1/limits/rules/{made['id']}"
    assert client.post("/v1/chat/completions", json=FREE).status_code == 429
    until = (datetime.now(UTC) + timedelta(days=2)).isoformat()
    raised = client.post(f"{path}/raise", json={"limit": 100_000, "until": until}).json()
    assert (raised["limit"], raised["limit_now"], raised["raised_limit"]) == (10, 100_000, 100_000)
    assert eventually(lambda: client.post("/v1/chat/completions", json=FREE).status_code == 200, within=5)
    assert client.delete(f"{path}/raise").json()["limit_now"] == 10
    assert eventually(lambda: client.post("/v1/chat/completions", json=FREE).status_code == 429, within=5)


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"level": "planet"}, "#/level"),
        ({"limit": 0}, "#/limit"),
        ({"limit": True}, "#/limit"),
        ({"window": "month"}, "#/window"),
        ({"window": None}, "#/window"),
        ({"kind": "budget"}, "#/window"),
        ({"kind": "concurrency"}, "#/window"),
        ({"hard": False}, "#/hard"),
        ({"colour": "red"}, "#/colour"),
    ],
)
def test_rule__that_makes_no_sense__is_422_naming_the_field_and_nothing_changes(
    client: httpx.Client, fields: dict[str, Any], pointer: str
) -> None:
    before = rules(client)
    body = {"level": "organization", "kind": "requests", "limit": 5, "window": 60, **fields}
    refused = client.post("/v1/limits/rules", json=body)
    assert refused.status_code == 422, refused.text
    assert [problem["pointer"] for problem in refused.json()["errors"]] == [pointer]
    assert rules(client) == before


def test_rules__of_another_organization_or_without_the_scope__are_out_of_reach(
    limited: Org, client: httpx.Client, gateway: Gateway, rule: Any
) -> None:
    made = rule(level="key", kind="requests", limit=9_000, window=60)
    path = f"/v1/limits/rules/{made['id']}"
    with gateway.globex.client() as other:
        assert made["id"] not in rules(other)
        assert other.patch(path, json={"limit": 1}).status_code == 404
        assert other.delete(path).status_code == 404
    narrow = a_key(client, scopes=["chat"])
    with limited.client(narrow["secret"]) as mine:
        assert eventually(lambda: mine.get("/v1/me").status_code == 200, within=5)
        assert mine.post("/v1/limits/rules", json={"level": "key"}).json()["code"] == "scope_missing"
        assert mine.delete(path).status_code == 403
    assert rules(client)[made["id"]]["limit"] == 9_000
    changed = client.patch(path, json={"limit": 8_000, "shadow": True}).json()
    assert (changed["limit"], changed["shadow"], changed["window"]) == (8_000, True, 60)
    [entry] = client.get("/v1/audit", params={"action": "organization.rules_changed", "limit": 1}).json()["data"]
    assert entry["target"]


def test_memory_operations__used_up_on_the_free_plan__402_and_nothing_is_stored(
    limited: Org, client: httpx.Client, gateway: Gateway
) -> None:
    memory = {"subject_id": "ops-ann", "text": "The door is green.", "provenance": {"source": "chat"}}
    query = {"subject_id": "ops-ann", "query": "door"}
    assert client.post("/v1/memories", json=memory).status_code == 201
    gateway.manage("orgs", "plan", limited.slug, "free")
    gateway.manage("orgs", "limits", limited.slug, "memory_operations=1", "rate=6000")
    try:
        assert eventually(lambda: client.post("/v1/memories/recall", json=query).status_code == 402, within=5)
        refused = client.post("/v1/memories", json={**memory, "text": "The door is red."})
        assert (refused.status_code, refused.json()["code"]) == (402, "memory_operations_exceeded")
        listed = client.get("/v1/memories", params={"subject_id": "ops-ann"})
        assert [one["text"] for one in listed.json()["data"]] == ["The door is green."]
    finally:
        gateway.manage("orgs", "limits", limited.slug, "memory_operations=none")
        gateway.manage("orgs", "plan", limited.slug, "business")
    assert eventually(lambda: client.post("/v1/memories/recall", json=query).status_code == 200, within=5)


def test_rules__fifty__is_the_most(client: httpx.Client, rule: Any) -> None:
    for _ in range(50 - len(rules(client))):
        client.post("/v1/limits/rules", json={"level": "key", "kind": "concurrency", "limit": 9_999, "shadow": True})
    refused = client.post("/v1/limits/rules", json={"level": "key", "kind": "concurrency", "limit": 9_999})
    assert (refused.status_code, refused.json()["code"]) == (422, "too_many_limits")
    for rule_id in rules(client):
        client.delete(f"/v1/limits/rules/{rule_id}")
