"""Golden prompts are paid for and recorded, but nobody's use of a persona: nothing that tells of that counts them."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.harness import Gateway, eventually
from tests.surfaces import clients
from tests.surfaces.v1.test_chat import body
from tests.surfaces.v1.test_consistency import asked, cartridge, save

globex = clients.globex
SANDBOX = "ikiro/sandbox"


@pytest.fixture
def fresh(gateway: Gateway) -> Iterator[httpx.Client]:
    """An organization that has made no call yet."""
    with gateway.org(f"rehearsing-{secrets.token_hex(3)}").client() as client:
        yield client


def recorded(client: httpx.Client, persona: str, count: int) -> list[dict[str, Any]]:
    def found() -> list[dict[str, Any]] | None:
        shown = client.get("/v1/requests", params={"q": f"persona:{persona}"}).raise_for_status().json()["data"]
        return shown if [one["state"] for one in shown] == ["settled"] * count else None

    return list(eventually(found, within=30))


def told(client: httpx.Client, persona: str, experiment: str) -> tuple[Any, ...]:
    """What the organization is told of people's use: arm A's calls and subjects, both denominators, the first call."""
    path = f"/v1/personas/{persona}/experiments/{experiment}"
    arm = client.get(path).raise_for_status().json()["results"][0]
    if_ = client.post("/v1/policies/what-if", json={"locks": {"dont": ["Mention prices"]}, "days": 1})
    shadow = client.get("/v1/policies/shadow-report", params={"days": 1})
    first = client.get("/v1/onboarding").raise_for_status().json()["first_call"]
    denominators = [one.raise_for_status().json()["requests"] for one in (if_, shadow)]
    return arm["calls"], arm["subjects"], *denominators, first["state"] if first else None


def test_rehearsals__of_an_arm__are_recorded_and_paid_but_count_as_nobodys_use(fresh, globex):
    name = f"rehearsed-{secrets.token_hex(4)}"
    fresh.post("/v1/personas", json={"cartridge": cartridge(name)}).raise_for_status()
    fresh.put(f"/v1/personas/{name}", json={"cartridge": cartridge(name, "2.0.0")}).raise_for_status()
    save(fresh, name, model=SANDBOX)
    trial = {"name": "Warmer", "version_a": 1, "version_b": 2}
    made = fresh.post(f"/v1/personas/{name}/experiments", json=trial).raise_for_status().json()["id"]
    # A shadow of the organization speaks of every call, rehearsed ones among them.
    shadow = {"mode": "shadow", "locks": {"denied_models": ["nobody/*"]}}
    fresh.put("/v1/policies/overlays/organization", json=shadow).raise_for_status()
    before = told(fresh, name, made)
    assert before[:4] == (0, 0, 0, 0)
    run = asked(fresh, name, target=1)
    assert (run["state"], run["done"]) == ("done", 2)
    rehearsed = recorded(fresh, name, 2)
    assert {one["surface"] for one in rehearsed} == {"consistency"}
    assert told(fresh, name, made) == before
    turn = body("ana", "Hello", persona_id=name, persona_version=1, model=SANDBOX)
    fresh.post("/v1/chat", json=turn).raise_for_status()
    recorded(fresh, name, 3)
    assert told(fresh, name, made) == (1, 1, 1, 1, "succeeded")

    def calls() -> bool:
        return bool(fresh.get("/v1/usage", params={"persona": name}).json()["totals"]["calls"] == 3)

    eventually(calls, within=30)
    assert globex.get("/v1/requests", params={"q": f"persona:{name}"}).json()["data"] == []
