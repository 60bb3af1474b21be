"""The vault over HTTP, in front of the whole product, for two organizations."""

from __future__ import annotations

from uuid import uuid4

import httpx
import pytest

from tests.harness import Gateway
from tests.surfaces import clients

acme, globex = clients.acme, clients.globex


@pytest.fixture
def ann() -> str:
    return f"vault-{uuid4().hex[:12]}"


def told(client: httpx.Client, subject: str, text: str, **fields: object) -> httpx.Response:
    source = fields.pop("source", "chat")
    return client.post(
        "/v1/memories", json={"subject_id": subject, "text": text, "provenance": {"source": source}, **fields}
    )


def known(client: httpx.Client, subject: str, query: str = "where lives", **fields: object) -> list[str]:
    answer = client.post("/v1/memories/recall", json={"subject_id": subject, "query": query, **fields})
    assert answer.status_code == 200, answer.text
    # What the organization itself knows is found beside it; these tests are about the subject.
    return [one["text"] for one in answer.json()["data"] if one["provenance"]["source"] != "org_kb"]


def test_contradiction_correction_and_forgetting__hold_at_once_and_for_one_organization(
    acme: httpx.Client, globex: httpx.Client, ann: str
) -> None:
    city = {"slot": "home.city"}
    for client in (acme, globex):
        first = told(client, ann, "Lives in Oslo", value="Oslo", occurred_at="2025-01-01T00:00:00Z", **city)
        assert first.status_code == 201, first.text
    second = told(acme, ann, "Lives in Bergn", value="Bergen", occurred_at="2025-06-01T00:00:00Z", **city).json()
    assert known(acme, ann) == ["Lives in Bergn"]
    assert known(acme, ann, as_of="2025-03-01T00:00:00Z") == ["Lives in Oslo"]
    asked = told(acme, ann, "Lives in Lund", value="Lund", source="web", **city)
    assert asked.status_code == 202, asked.text
    proposal = acme.get(f"/v1/proposals/{asked.json()['proposal_id']}").json()
    assert (proposal["state"], proposal["subject_id"]) == ("pending", ann)
    path = f"/v1/memories/{second['id']}"
    fixed = acme.patch(path, json={"text": "Lives in Bergen"}, headers={"if-match": '"1"'}).json()
    again = acme.patch(path, json={"text": "Lives in Turku"}, headers={"if-match": '"1"'})
    assert (again.status_code, again.json()["code"]) == (409, "version_conflict")
    assert again.json()["current"]["id"] == fixed["id"]
    assert known(acme, ann) == ["Lives in Bergen"]
    assert globex.patch(path, json={"text": "x"}).status_code == globex.delete(path).status_code == 404
    assert acme.delete(f"/v1/memories/{fixed['id']}").json()["status"] == "forgotten"
    assert known(acme, ann) == []
    gone = acme.patch(f"/v1/memories/{fixed['id']}", json={"text": "x"})
    assert (gone.status_code, gone.json()["code"]) == (410, "memory_forgotten")
    extracted = told(acme, ann, "Lives in Bergen!", extracted=True)
    assert (extracted.status_code, extracted.json()["code"]) == (409, "forgotten_before")
    assert acme.post(f"/v1/memories/{fixed['id']}/restore").json()["status"] == "active"
    assert known(acme, ann) == ["Lives in Bergen"]
    assert known(globex, ann) == ["Lives in Oslo"]


def test_proposal_of_a_contradiction__approved__takes_over(acme: httpx.Client, ann: str) -> None:
    told(acme, ann, "Lives in Oslo", slot="home.city", value="Oslo")
    asked = told(acme, ann, "Lives in Lund", slot="home.city", value="Lund", source="web").json()
    decided = acme.post(f"/v1/proposals/{asked['proposal_id']}/approve", json={})
    assert (decided.status_code, decided.json()["state"]) == (200, "executed"), decided.text
    assert known(acme, ann) == ["Lives in Lund"]


def test_consent_boundary_and_silence__hide_from_the_next_request_on(
    acme: httpx.Client, globex: httpx.Client, ann: str
) -> None:
    mail = told(acme, ann, "Lives near the harbour", source="gmail").json()
    told(acme, ann, "Lives with Carl since the divorce")
    told(globex, ann, "Lives alone since the divorce", source="gmail")
    assert len(known(acme, ann)) == 2
    assert acme.put(f"/v1/subjects/{ann}/consents/gmail", json={"granted": False}).status_code == 200
    assert known(acme, ann) == ["Lives with Carl since the divorce"]
    line = acme.post(f"/v1/subjects/{ann}/boundaries", json={"kind": "topic", "statement": "don't mention the divorce"})
    assert (line.status_code, line.json()["statement"]) == (201, "the divorce")
    assert known(acme, ann) == []
    assert known(globex, ann) == ["Lives alone since the divorce"]
    acme.put(f"/v1/subjects/{ann}/consents/gmail", json={"granted": True})
    acme.post(f"/v1/memories/{mail['id']}/silence")
    assert known(acme, ann) == []
    acme.post(f"/v1/memories/{mail['id']}/unsilence")
    acme.delete(f"/v1/subjects/{ann}/boundaries/{line.json()['id']}")
    assert sorted(known(acme, ann)) == ["Lives near the harbour", "Lives with Carl since the divorce"]
    listed = acme.get(f"/v1/subjects/{ann}/boundaries", params={"lifted": True}).json()["data"]
    assert [(one["id"], one["lifted_at"] is not None) for one in listed] == [(line.json()["id"], True)]


def test_narrowed_key__beyond_its_collection__changes_nothing(gateway: Gateway, acme: httpx.Client, ann: str) -> None:
    mail = told(acme, ann, "Lives near the harbour", source="gmail").json()
    key = {"name": "chat only", "memory_scopes": ["chat"], "scopes": ["memories:read", "memories:write"]}
    secret = acme.post("/v1/keys", json=key).json()["secret"]
    with gateway.acme.client(secret) as narrow:
        path = f"/v1/memories/{mail['id']}"
        answers = [narrow.patch(path, json={"text": "x"}), narrow.delete(path), narrow.get(f"{path}/history")]
        answers += [narrow.post(f"{path}/{verb}") for verb in ("silence", "pin", "restore")]
        answers += [
            narrow.put(f"/v1/subjects/{ann}/consents/gmail", json={"granted": False}),
            narrow.post(f"/v1/subjects/{ann}/boundaries", json={"kind": "topic", "statement": "harbour"}),
        ]
        assert {(one.status_code, one.json()["code"]) for one in answers} == {(403, "memory_scope_not_allowed")}
    assert acme.get(f"/v1/memories/{mail['id']}").json() == {**mail, "sources": [mail["provenance"]]}
    assert known(acme, ann) == ["Lives near the harbour"]


@pytest.mark.parametrize(
    ("change", "hint"),
    [({"text": "x" * 65_536}, "16000"), ({"memory_scope": "x" * 129}, "128"), ({"pii_tags": ["x"] * 21}, "20")],
    ids=["64 KB text", "scope", "tags"],
)
def test_bad_input__says_the_limit_and_stores_nothing(acme: httpx.Client, ann: str, change: dict, hint: str) -> None:
    refused = told(acme, ann, **{"text": "Likes tea", **change})
    assert refused.status_code == 422
    assert hint in refused.json()["errors"][0]["message"]
    assert acme.get(f"/v1/subjects/{ann}").status_code == 404
