"""Memory operations beyond the plan cost money, and no hard budget over the caller is overspent by them."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tenants import selectors
from tests.factories.people import People, committed_database, people
from tests.harness import Gateway, Org, eventually

__all__ = ["committed_database", "people"]
PRICE = 1_000  # micro-dollars for each operation beyond the plan


@pytest.fixture(scope="module")
def limited(gateway: Gateway) -> Iterator[Org]:
    """An organization whose plan includes no memory operation, so that the first one costs money."""
    org = gateway.org("limited")
    gateway.manage("orgs", "limits", org.slug, "memory_operations=0")
    with org.client() as client:
        included = eventually(lambda: client.get("/v1/billing").json()["memory_operations"], within=10)
        assert included["included"] == 0
    yield org
    gateway.manage("orgs", "limits", org.slug, "memory_operations=none")


@pytest.fixture
def client(limited: Org) -> Iterator[httpx.Client]:
    with limited.client() as client:
        yield client


@pytest.fixture
def budget(client: httpx.Client) -> Iterator[Callable[..., None]]:
    """Makes a hard budget for each subject or person that all workers know when it returns; removed afterwards."""
    made: list[str] = []

    def make(level: str, limit: int) -> None:
        body = {"level": level, "kind": "budget", "window": "month", "limit": limit}
        made.append(client.post("/v1/limits/rules", json=body).raise_for_status().json()["id"])
        assert eventually(lambda: set(made) <= _rules(client), within=10)

    yield make
    for rule_id in made:
        client.delete(f"/v1/limits/rules/{rule_id}")
    assert eventually(lambda: not set(made) & _rules(client), within=10)


def _rules(client: httpx.Client) -> set[str]:
    return {one["id"] for one in client.get("/v1/limits/rules").json()["data"]}


def memory(subject: str, text: str = "Likes tea.") -> dict[str, Any]:
    return {"subject_id": subject, "text": text, "provenance": {"source": "chat"}}


def texts(client: httpx.Client, subject: str) -> list[str]:
    return [one["text"] for one in client.get("/v1/memories", params={"subject_id": subject}).json()["data"]]


def budgeted(client: httpx.Client, limit_micros: int, **more: Any) -> dict[str, Any]:
    budget = {"limit_micros": limit_micros, "window": "day", "hard": True, **more}
    return dict(client.post("/v1/keys", json={"name": "memories", "budget": budget}).raise_for_status().json())


def spent(client: httpx.Client, **params: str) -> int:
    return int(client.get("/v1/limits", params=params).json()["budgets"][0]["spent_micros"])


def test_memory__beyond_the_plan_under_a_hard_budget__is_402_once_it_is_spent_and_nothing_is_stored(
    limited: Org, client: httpx.Client, gateway: Gateway
) -> None:
    subject, made = f"ann-{secrets.token_hex(4)}", budgeted(client, 2 * PRICE + PRICE // 2)
    with gateway.globex.client() as other:
        foreign = other.get("/v1/limits").json()["spent_micros"]
    with limited.client(made["secret"]) as mine:
        assert eventually(lambda: mine.get("/v1/me").status_code == 200, within=5)
        assert mine.post("/v1/memories", json=memory(subject)).status_code == 201
        assert mine.post("/v1/memories/recall", json={"subject_id": subject, "query": "tea"}).status_code == 200
        assert spent(mine) == 2 * PRICE
        whole = client.get("/v1/limits").json()["spent_micros"]
        for path, body in (
            ("/v1/memories", memory(subject, "Hates coffee.")),
            ("/v1/memories", {"items": [memory(subject, "One."), memory(f"{subject}-2", "Two.")]}),
            ("/v1/memories/recall", {"subject_id": subject, "query": "tea"}),
        ):
            refused = mine.post(path, json=body)
            assert (refused.status_code, refused.json()["code"]) == (402, "budget_exceeded"), refused.text
            assert (refused.json()["limit"]["scope"], refused.json()["limit"]["used"]) == ("key", 2 * PRICE)
            assert refused.json()["decision"]["stage"] == "memory_operations"
        assert (texts(mine, subject), texts(mine, f"{subject}-2")) == (["Likes tea."], [])
        assert (spent(mine), client.get("/v1/limits").json()["spent_micros"]) == (2 * PRICE, whole)
    # Another key of the same organization has its own money, and globex was not touched.
    assert client.post("/v1/memories", json=memory(subject, "Hates coffee.")).status_code == 201
    assert client.get("/v1/limits").json()["spent_micros"] == whole + PRICE
    with gateway.globex.client() as other:
        assert other.get("/v1/limits").json()["spent_micros"] == foreign


def test_memory__under_a_soft_budget__is_stored_and_counted(limited: Org, client: httpx.Client) -> None:
    subject, made = f"soft-{secrets.token_hex(4)}", budgeted(client, PRICE // 2, hard=False)
    with limited.client(made["secret"]) as mine:
        assert eventually(lambda: mine.get("/v1/me").status_code == 200, within=5)
        for text in ("One.", "Two."):
            assert mine.post("/v1/memories", json=memory(subject, text)).status_code == 201
        assert spent(mine) == 2 * PRICE
    assert sorted(texts(client, subject)) == ["One.", "Two."]


def test_memory__of_a_subject_with_a_hard_budget__holds_for_each_alone_also_in_a_batch(
    client: httpx.Client, budget: Callable[..., None]
) -> None:
    ann, bob = (f"{name}-{secrets.token_hex(4)}" for name in ("ann", "bob"))
    budget("subject", 2 * PRICE)
    for text in ("One.", "Two."):
        assert client.post("/v1/memories", json=memory(ann, text)).status_code == 201
    refused = client.post("/v1/memories", json=memory(ann, "Three."))
    assert (refused.status_code, refused.json()["limit"]["scope"]) == (402, "subject")
    both = client.post("/v1/memories", json={"items": [memory(bob), memory(ann, "Three.")]})
    assert (both.status_code, both.json()["limit"]["scope"]) == (402, "subject")
    assert (len(texts(client, ann)), texts(client, bob)) == (2, [])
    assert client.post("/v1/memories", json={"items": [memory(bob), memory(bob, "Two.")]}).status_code == 201
    assert [spent(client, subject_id=one) for one in (ann, bob)] == [2 * PRICE, 2 * PRICE]
    assert client.post("/v1/memories", json={"items": [memory(bob, "Three.")]}).status_code == 402


def test_memory__through_a_token_with_a_budget__is_refused_beyond_it(limited: Org, client: httpx.Client) -> None:
    subject = f"token-{secrets.token_hex(4)}"
    wanted = {"persona_id": "brand-default", "subject_id": subject, "budget": PRICE,
              "scopes": ["memories:read", "memories:write"]}  # fmt: skip
    minted = client.post("/v1/tokens", json=wanted)
    assert minted.status_code in (200, 201), minted.text
    with limited.client(minted.json()["token"]) as bearer:
        assert bearer.post("/v1/memories", json=memory(subject)).status_code == 201
        refused = bearer.post("/v1/memories/recall", json={"subject_id": subject, "query": "tea"})
        assert (refused.status_code, refused.json()["code"]) == (402, "budget_exceeded")
        assert refused.json()["limit"]["scope"] == "token"
        listed = bearer.get("/v1/memories", params={"subject_id": subject})
        assert len(listed.json()["data"]) == 1


def test_memory__by_a_person_with_a_hard_budget__is_refused_and_others_go_on(
    limited: Org, client: httpx.Client, people: People, budget: Callable[..., None]
) -> None:
    subject, ref = f"person-{secrets.token_hex(4)}", selectors.organization_by_slug(limited.slug).ref
    ann, bob = (people.client(people.member("developer", of=limited), ref) for _ in range(2))
    budget("user", PRICE)
    assert ann.post("/v1/memories", json=memory(subject, "One.")).status_code == 201
    refused = ann.post("/v1/memories", json=memory(subject, "Two."))
    assert (refused.status_code, refused.json()["limit"]["scope"]) == (402, "user")
    assert bob.post("/v1/memories", json=memory(subject, "Three.")).status_code == 201
    assert client.post("/v1/memories", json=memory(subject, "Four.")).status_code == 201
    assert sorted(texts(client, subject)) == ["Four.", "One.", "Three."]
