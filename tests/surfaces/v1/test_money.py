"""`/v1/usage`, `/v1/billing`, `/v1/prices` and `/v1/reconciliations` over HTTP: the same micro-dollars everywhere."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from gateway.core import ids
from tenants import selectors
from tests.factories.people import People, committed_database, people
from tests.harness import Gateway, Org, eventually

__all__ = ["committed_database", "people"]
MODEL, UNKNOWN = "openai/gpt-4o-mini", "openai/my-own-llama"


@pytest.fixture(scope="module")
def org(gateway: Gateway) -> Org:
    """An organization whose ledger nobody else writes."""
    return gateway.org("money")


@pytest.fixture
def client(org: Org, upstream: Any) -> Iterator[httpx.Client]:
    upstream.reset()
    with org.client() as client:
        yield client
    upstream.reset()


def ask(client: httpx.Client, model: str = MODEL) -> str:
    """One call; returns its request id."""
    answer = client.post("/v1/chat/completions", json={"model": model, "messages": [{"role": "user", "content": "hi"}]})
    assert answer.status_code == 200, answer.text
    return answer.headers["x-request-id"]


def used(client: httpx.Client, **query: Any) -> dict[str, Any]:
    answer = client.get("/v1/usage", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def in_ledger(client: httpx.Client, *request_ids: str) -> None:
    for request_id in request_ids:
        eventually(lambda one=request_id: client.get(f"/v1/requests/{one}").json()["state"] == "settled", within=30)

        def rolled(one: str = request_id) -> bool:
            return any(row["request_id"] == one for row in exported(client))

        eventually(rolled, within=30)


def exported(client: httpx.Client) -> list[dict[str, Any]]:
    answer = client.get("/v1/usage/export", params={"format": "ndjson"})
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


def test_usage__after_calls__is_the_statement_and_both_files_to_the_micro_dollar(
    client: httpx.Client, gateway: Gateway
) -> None:
    in_ledger(client, *(ask(client) for _ in range(3)))
    answer = client.get("/v1/usage/export")
    assert answer.headers["content-type"].startswith("text/csv")
    slug = client.get("/v1/me").json()["organization"]["slug"]
    assert answer.headers["content-disposition"].startswith(f'attachment; filename="usage-{slug}-')
    table, lines = list(csv.DictReader(io.StringIO(answer.text))), exported(client)
    statement = client.get("/v1/billing/statement").json()
    usage = used(client, group_by="model,key")
    totals = usage["totals"]
    for name in ("charged_micros", "provider_cost_micros", "markup_micros", "prompt_tokens", "completion_tokens"):
        assert totals[name] == sum(int(row[name]) for row in table) == sum(row[name] for row in lines), name
        assert totals[name] == sum(group[name] for group in usage["data"]), name
    billed = [line for line in statement["lines"] if line["kind"] != "plan"]
    assert sum(line["amount_micros"] for line in billed) == totals["charged_micros"] - totals["direct_micros"]
    assert sum(line["amount_micros"] for line in statement["lines"]) == statement["total_micros"]
    assert statement["state"] == "open"
    assert totals["charged_micros"] > 0
    assert totals["latency_ms"]["p50"] is not None
    assert {"model", "key_id", "calls"} <= set(usage["data"][0])
    assert used(client, group_by="day")["data"][0]["day"] == datetime.now(UTC).date().isoformat()
    as_csv = client.get("/v1/billing/statement", params={"format": "csv"}).text
    *rows, total = csv.DictReader(io.StringIO(as_csv))
    assert sum(int(row["amount_micros"]) for row in rows) == int(total["amount_micros"]) == statement["total_micros"]
    with gateway.globex.client() as other:
        mine = {row["request_id"] for row in lines}
        assert mine.isdisjoint(row["request_id"] for row in exported(other))


def test_usage__of_a_narrowed_key__shows_its_persona_only_and_no_money_matters(client: httpx.Client) -> None:
    in_ledger(client, ask(client))
    made = client.post("/v1/keys", json={"name": "narrow", "persona_ids": ["nobody-here"]}).json()
    narrow = {"authorization": f"Bearer {made['secret']}"}
    assert client.get("/v1/usage", headers=narrow).json()["totals"]["calls"] == 0
    assert client.get("/v1/usage/export", params={"format": "ndjson"}, headers=narrow).text == ""
    for path in ("/v1/billing", "/v1/billing/statement", "/v1/reconciliations"):
        answer = client.get(path, headers=narrow)
        assert (answer.status_code, answer.json()["code"]) == (403, "whole_organization_only")


@pytest.mark.parametrize(
    ("path", "query", "code"),
    [
        ("/v1/usage", {"group_by": "colour"}, "invalid_group"),
        ("/v1/usage", {"group_by": "day,day"}, "invalid_group"),
        ("/v1/usage", {"group_by": "hour,subject"}, "usage_group_unsupported"),
        ("/v1/usage", {"from": "2026-02-01", "to": "2026-01-01"}, "invalid_range"),
        ("/v1/usage", {"cursor": "bm9wZQ"}, "invalid_request"),
        ("/v1/usage/export", {"from": "2026-02-01", "to": "2026-01-01"}, "invalid_range"),
        ("/v1/billing/statement", {"month": "2026-13"}, "invalid_month"),
        ("/v1/billing/statement", {"month": "2199-01"}, "invalid_month"),
    ],
)
def test_money__asked_wrongly__is_422_naming_why(
    client: httpx.Client, path: str, query: dict[str, str], code: str
) -> None:
    answer = client.get(path, params=query)
    assert (answer.status_code, answer.json()["code"]) == (422, code)


def test_price__of_a_model_that_no_list_knows__is_unpriced_until_it_is_set(client: httpx.Client) -> None:
    assert client.get(f"/v1/prices/{UNKNOWN}").json()["unpriced"] is True
    before = used(client)["totals"]["unpriced_calls"]
    first = ask(client, UNKNOWN)
    put = client.put(f"/v1/prices/{UNKNOWN}", json={"prompt": "3", "completion": "12.5", "cached": 0.3})
    assert put.status_code == 200, put.text
    own = put.json()["own"]
    assert (own["prompt"], own["completion"], own["cached"], own["cache_write"]) == ("3", "12.5", "0.3", "3")
    assert own["version"].startswith("own/")
    second = ask(client, UNKNOWN)
    in_ledger(client, first, second)
    rows = {row["request_id"]: row for row in exported(client)}
    assert (rows[first]["price_version"], rows[first]["charged_micros"]) == ("unpriced", 0)
    tokens = rows[second]["prompt_tokens"], rows[second]["completion_tokens"]
    cost = (tokens[0] * 3_000_000 + tokens[1] * 12_500_000 + 500_000) // 1_000_000
    assert (rows[second]["price_version"], rows[second]["provider_cost_micros"]) == (own["version"], cost)
    assert used(client)["totals"]["unpriced_calls"] == before + 1
    assert [one["model"] for one in client.get("/v1/prices").json()["data"]] == [UNKNOWN]

    gone = client.delete(f"/v1/prices/{UNKNOWN}").json()
    assert (gone["own"], gone["unpriced"]) == (None, True)
    assert client.delete(f"/v1/prices/{UNKNOWN}").json()["code"] == "price_not_found"
    listed = client.get(f"/v1/prices/{MODEL}").json()
    assert (listed["in_force"]["prompt"], listed["own"], listed["markup_percent"]) == ("0.15", None, 20)
    for model, body in (
        ("ikiro/sandbox", {"prompt": "1", "completion": "1"}),
        ("bare", {"prompt": "1", "completion": "1"}),
        (UNKNOWN, {"prompt": "-1", "completion": "1"}),
        (UNKNOWN, {"prompt": "1"}),
        (UNKNOWN, {"prompt": "0.00000001", "completion": "1"}),
    ):
        assert client.put(f"/v1/prices/{model}", json=body).status_code == 422
    assert client.get("/v1/prices").json()["data"] == []


def test_own_provider__of_the_organization__is_given_back_on_the_statement(client: httpx.Client, upstream: Any) -> None:
    body = {"name": "mine", "kind": "openai", "base_url": upstream.base_url, "api_key": "sk-mine-0123456789"}
    made = client.post("/v1/providers", json=body)
    assert made.status_code == 201, made.text
    price = client.put("/v1/prices/mine/gpt-4o-mini", json={"prompt": "1000", "completion": "2000"})
    assert price.status_code == 200, price.text
    request_id = ask(client, "mine/gpt-4o-mini")
    in_ledger(client, request_id)
    [row] = [row for row in exported(client) if row["request_id"] == request_id]
    assert (row["own_credential"], row["charged_micros"]) == (True, row["provider_cost_micros"] + row["markup_micros"])
    assert used(client, provider="mine")["totals"]["direct_micros"] == row["provider_cost_micros"] > 0
    statement = client.get("/v1/billing/statement").json()
    [direct] = [line for line in statement["lines"] if line["kind"] == "direct"]
    assert direct["amount_micros"] == -row["provider_cost_micros"]
    client.delete("/v1/prices/mine/gpt-4o-mini")
    client.delete(f"/v1/providers/{made.json()['id']}")


def test_memory__written_and_recalled__is_counted_as_operations_of_the_month(client: httpx.Client) -> None:
    before = used(client)["totals"]["memory_operations"]
    item = {"subject_id": "ana", "text": "Likes tea.", "provenance": {"source": "chat"}}
    assert client.post("/v1/memories", json=item).status_code == 201
    assert client.post("/v1/memories/recall", json={"subject_id": "ana", "query": "tea"}).status_code == 200
    eventually(lambda: used(client)["totals"]["memory_operations"] == before + 2, within=30)
    [group] = used(client, group_by="model", model="ikiro/memory")["data"]
    assert (group["calls"], group["attempts"], group["charged_micros"]) == (0, 0, 0)
    overview = client.get("/v1/billing").json()["memory_operations"]
    assert (overview["included"], overview["used"], overview["overage"]) == (500_000, before + 2, 0)
    rows = [row for row in exported(client) if row["memory_operations"]]
    assert {(row["model"], row["memory_operations"]) for row in rows} == {("ikiro/memory", 1)}
    for row in rows:
        assert client.get(f"/v1/requests/{row['request_id']}").status_code == 404


def test_plan__by_the_owner__is_previewed_changed_and_changed_back(
    client: httpx.Client, org: Org, people: People
) -> None:
    ref = selectors.organization_by_slug(org.slug).ref
    owner = people.client(people.member("owner", of=org), ref)
    admin = people.client(people.member("admin", of=org), ref)
    assert [one["name"] for one in client.get("/v1/billing/plans").json()["data"]] == [
        "free", "pro", "business", "enterprise",
    ]  # fmt: skip
    preview = owner.post("/v1/billing/plan", json={"plan": "free", "preview": True}).json()
    assert (preview["preview"], preview["changed"]) == (True, False)
    broken = {one["what"]: one for one in preview["breaks"]}
    # What the operator switched on for this organization by name outlives every plan.
    assert ({"policy_overlays", "sso"} <= set(broken), "enable_audit_api" in broken) == (True, False)
    assert client.get("/v1/billing").json()["plan"] == "business"
    for who in (admin, client):
        assert who.post("/v1/billing/plan", json={"plan": "free"}).status_code == 403
    assert client.get("/v1/billing").json()["plan"] == "business"

    changed = owner.post("/v1/billing/plan", json={"plan": "pro"}).json()
    assert (changed["changed"], changed["before"]["name"], changed["after"]["name"]) == (True, "business", "pro")
    assert owner.post("/v1/billing/plan", json={"plan": "pro"}).json()["changed"] is False
    now = client.get("/v1/billing").json()
    assert (now["plan"], now["base_price_micros"], now["calls"]["included"]) == ("pro", 49_000_000, 50_000)
    assert owner.post("/v1/billing/plan", json={"plan": "enterprise"}).json()["code"] == "plan_by_arrangement"
    assert owner.post("/v1/billing/plan", json={"plan": "gold"}).json()["code"] == "unknown_plan"
    assert owner.post("/v1/billing/plan", json={"plan": "business"}).json()["changed"] is True
    log = client.get("/v1/audit", params={"action": "organization.plan_changed"}).json()["data"]
    assert [one["detail"]["after"]["plan"] for one in log][:2] == ["business", "pro"]
    announced = [one for one in client.get("/v1/events").json()["data"] if one["type"] == "plan.changed"]
    assert [(one["from"], one["to"]) for one in announced][:2] == [("pro", "business"), ("business", "pro")]


def test_reconciliation__of_a_providers_file__lists_what_differs(client: httpx.Client, org: Org) -> None:
    request_id = ask(client)
    in_ledger(client, request_id)
    today = datetime.now(UTC).date().isoformat()
    ghost = ids.public("req", ids.uuid7())
    text = f"date,model,cost_micros,request_id\n{today},gpt-4o-mini-2024-07-18,1000,{ghost}\n"
    headers = {"content-type": "text/csv"}
    made = client.post("/v1/reconciliations", params={"provider": "openai"}, content=text, headers=headers)
    assert made.status_code == 201, made.text
    found = client.get(f"/v1/reconciliations/{made.json()['id']}").json()
    assert found == made.json()
    assert found["calls"]["only_billed"] == {"count": 1, "request_ids": [ghost]}
    assert request_id in found["calls"]["only_in_ledger"]["request_ids"]
    assert found["groups"][0]["verdict"] == "differs"
    assert [one["id"] for one in client.get("/v1/reconciliations").json()["data"]] == [found["id"]]
    for content in ("", "a,b\n1,2\n"):
        refused = client.post("/v1/reconciliations", content=content, headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (422, "unreadable_export")
    assert len(client.get("/v1/reconciliations").json()["data"]) == 1
