"""A key that is narrowed to some collections neither learns of nor takes over from what lies in the others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.harness import Gateway
from tests.surfaces import clients
from tests.surfaces.v1.test_memory_vault import known, told

acme, globex = clients.acme, clients.globex
HOME = {"slot": "home.city"}
SCOPES = ["memories:read", "memories:write", "proposals:read", "proposals:write", "proposals:decide"]


@pytest.fixture
def ann() -> str:
    return f"reach-{uuid4().hex[:12]}"


@pytest.fixture
def narrow(gateway: Gateway, acme: httpx.Client) -> Iterator[httpx.Client]:
    key = {"name": "chat only", "memory_scopes": ["chat"], "scopes": SCOPES}
    with gateway.acme.client(acme.post("/v1/keys", json=key).json()["secret"]) as client:
        yield client


def _overtaken(client: httpx.Client, subject: str) -> tuple[dict, dict]:
    """A fact told in chat, and the one out of the mail that took over from it."""
    chat = told(client, subject, "Lives in Oslo", value="Oslo", occurred_at="2025-01-01T00:00:00Z", **HOME).json()
    stronger = {"source": "gmail", "memory_scope": "gmail", "occurred_at": "2025-06-01T00:00:00Z"}
    asked = told(client, subject, "Salary letter: SECRET 99999", value="Bergen", **HOME, **stronger).json()
    client.post(f"/v1/proposals/{asked['proposal_id']}/approve", json={})
    return chat, client.get("/v1/memories", params={"subject_id": subject, "memory_scope": "gmail"}).json()["data"][0]


def shown(client: httpx.Client, memory: dict[str, Any]) -> dict[str, Any]:
    """The memory as it is now, as the answer to writing it had it."""
    found = client.get(f"/v1/memories/{memory['id']}").json()
    return {name: found[name] for name in memory}


def test_conflict__with_a_successor_beyond_reach__names_id_and_version_alone(
    acme: httpx.Client, globex: httpx.Client, narrow: httpx.Client, ann: str
) -> None:
    chat, mail = _overtaken(acme, ann)
    refused = narrow.patch(f"/v1/memories/{chat['id']}", json={"text": "hm"})
    assert (refused.status_code, refused.json()["code"]) == (409, "version_conflict")
    assert refused.json()["current"] == {"id": mail["id"], "version": 1}
    assert "SECRET" not in refused.text
    assert narrow.get(f"/v1/memories/{mail['id']}").status_code == 403
    seen = acme.patch(f"/v1/memories/{chat['id']}", json={"text": "hm"}).json()
    assert seen["current"]["text"] == "Salary letter: SECRET 99999"
    assert globex.patch(f"/v1/memories/{chat['id']}", json={"text": "hm"}).status_code == 404


def test_correction__into_the_slot_of_a_fact_beyond_reach__is_refused(
    acme: httpx.Client, narrow: httpx.Client, ann: str
) -> None:
    mail = told(acme, ann, "Lives in Oslo", value="Oslo", source="gmail", **HOME).json()
    mine = told(narrow, ann, "Likes it hot").json()
    refused = narrow.patch(f"/v1/memories/{mine['id']}", json={**HOME, "value": "Hell"})
    assert (refused.status_code, refused.json()["code"]) == (409, "memory_contradicts"), refused.text
    assert shown(acme, mail) == mail
    assert shown(acme, mine) == mine
    assert acme.patch(f"/v1/memories/{mine['id']}", json={**HOME, "value": "Hell"}).status_code == 200
    assert acme.get(f"/v1/memories/{mail['id']}").json()["status"] == "superseded"


def test_restore__of_what_would_take_over_beyond_reach__is_refused(
    acme: httpx.Client, narrow: httpx.Client, ann: str
) -> None:
    mine = told(narrow, ann, "Lives in Hell", value="Hell", **HOME).json()
    assert narrow.delete(f"/v1/memories/{mine['id']}").status_code == 200
    earlier = {"source": "gmail", "occurred_at": "2025-01-01T00:00:00Z"}
    mail = told(acme, ann, "Lives in Oslo", value="Oslo", **earlier, **HOME).json()
    refused = narrow.post(f"/v1/memories/{mine['id']}/restore")
    assert (refused.status_code, refused.json()["code"]) == (409, "memory_contradicts")
    assert shown(acme, mail) == mail
    assert acme.get(f"/v1/memories/{mine['id']}").status_code == 410
    assert acme.post(f"/v1/memories/{mine['id']}/restore").status_code == 200
    assert known(acme, ann) == ["Lives in Hell"]


def test_old_news__less_trusted_than_what_held_then__asks(acme: httpx.Client, globex: httpx.Client, ann: str) -> None:
    for client in (acme, globex):
        told(client, ann, "Lives in Oslo", value="Oslo", occurred_at="2025-01-01T00:00:00Z", **HOME)
        told(client, ann, "Lives in Bergen", value="Bergen", occurred_at="2025-06-01T00:00:00Z", **HOME)
    paris = {"value": "Paris", "source": "web", "occurred_at": "2025-02-01T00:00:00Z"}
    asked = told(acme, ann, "Lives in Paris", **paris, **HOME)
    assert asked.status_code == 202, asked.text
    assert known(acme, ann, as_of="2025-03-01T00:00:00Z") == ["Lives in Oslo"]
    decided = acme.post(f"/v1/proposals/{asked.json()['proposal_id']}/approve", json={})
    assert decided.json()["state"] == "executed", decided.text
    assert known(acme, ann, as_of="2025-03-01T00:00:00Z") == ["Lives in Paris"]
    assert known(acme, ann, as_of="2025-01-15T00:00:00Z") == ["Lives in Oslo"]
    assert known(acme, ann) == ["Lives in Bergen"]
    assert known(globex, ann, as_of="2025-03-01T00:00:00Z") == ["Lives in Oslo"]


def test_old_news__over_history_beyond_reach__asks_and_ends_nothing(
    acme: httpx.Client, narrow: httpx.Client, ann: str
) -> None:
    for city, at in (("Oslo", "2025-01-01"), ("Bergen", "2025-06-01")):
        told(acme, ann, f"Lives in {city}", value=city, source="gmail", occurred_at=f"{at}T00:00:00Z", **HOME)
    asked = told(narrow, ann, "Lives in Hell", value="Hell", occurred_at="2025-02-01T00:00:00Z", **HOME)
    assert asked.status_code == 202, asked.text
    assert known(acme, ann, as_of="2025-03-01T00:00:00Z") == ["Lives in Oslo"]


def test_proposal__quoting_a_memory_beyond_reach__is_withheld_and_not_the_keys_to_approve(
    acme: httpx.Client, narrow: httpx.Client, ann: str
) -> None:
    mail = told(acme, ann, "Mail says: SECRET home Oslo", value="Oslo", source="gmail", **HOME).json()
    asked = told(narrow, ann, "Lives in Hell", value="Hell", **HOME)
    assert asked.status_code == 202
    path = f"/v1/proposals/{asked.json()['proposal_id']}"
    forget = {"type": "memory.forget", "subject_id": ann, "payload": {"memory_id": mail["id"]}, "source": "chat"}
    answers = [narrow.get(path), narrow.get("/v1/proposals", params={"subject_id": ann})]
    assert [one.status_code for one in answers] == [200, 200]
    assert [one for one in answers if "SECRET" in one.text] == []
    withheld = {"before": None, "after": "Lives in Hell", "withheld": "memory_scope_not_allowed"}
    assert answers[0].json()["diff"] == withheld
    refused = [narrow.post(f"{path}/approve", json={}), narrow.post("/v1/proposals", json={**forget, "confidence": 1})]
    assert {(one.status_code, one.json()["code"]) for one in refused} == {(403, "memory_scope_not_allowed")}
    assert [one for one in refused if "SECRET" in one.text] == []
    assert shown(acme, mail) == mail
    seen = acme.get(path).json()
    assert (seen["state"], seen["diff"]) == ("pending", {"before": mail["text"], "after": "Lives in Hell"})
    assert "SECRET" not in narrow.post(f"{path}/reject", json={}).text


def test_proposal__quoting_a_memory_within_reach__is_shown_and_approved(
    acme: httpx.Client, narrow: httpx.Client, ann: str
) -> None:
    told(acme, ann, "Lives in Oslo", value="Oslo", **HOME)
    asked = told(narrow, ann, "Lives in Hell", value="Hell", confidence=0.5, **HOME).json()
    path = f"/v1/proposals/{asked['proposal_id']}"
    assert narrow.get(path).json()["diff"] == {"before": "Lives in Oslo", "after": "Lives in Hell"}
    assert narrow.post(f"{path}/approve", json={}).json()["state"] == "executed"
    assert known(acme, ann) == ["Lives in Hell"]
