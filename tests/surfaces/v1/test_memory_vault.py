"""The vault over HTTP, in front of the whole product, for two organizations."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
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


def test_source_and_collection__in_any_case__are_the_same(gateway: Gateway, acme: httpx.Client, ann: str) -> None:
    city = {"slot": "home.city"}
    told(acme, ann, "Lives in Oslo", value="Oslo", source="Gmail", **city)
    assert told(acme, ann, "Lives in Lund", value="Lund", source="Web", **city).status_code == 202
    said = told(acme, ann, "Likes tea", source="Chat").json()
    assert (said["trust"], said["memory_scope"], said["provenance"]["source"]) == (3, "chat", "chat")
    assert known(acme, ann, "lives tea", memory_scopes=["GMAIL"]) == ["Lives in Oslo"]
    for query in ({"source": "CHAT"}, {"memory_scope": "Chat"}):
        found = acme.get("/v1/memories", params={"subject_id": ann, **query}).json()["data"]
        assert [one["id"] for one in found] == [said["id"]]
    key = {"name": "Chat only", "memory_scopes": ["Chat"], "scopes": ["memories:read", "memories:write"]}
    with gateway.acme.client(acme.post("/v1/keys", json=key).json()["secret"]) as narrow:
        assert known(narrow, ann, "lives tea") == known(narrow, ann, "tea", memory_scopes=["CHAT"]) == ["Likes tea"]
        assert told(narrow, ann, "Likes milk", source="CHAT").status_code == 201
        refused = narrow.post("/v1/memories/recall", json={"subject_id": ann, "query": "x", "memory_scopes": ["Gmail"]})
        assert (refused.status_code, refused.json()["code"]) == (403, "memory_scope_not_allowed")
        assert narrow.get("/v1/memories", params={"subject_id": ann, "memory_scope": "GMAIL"}).status_code == 403


def test_extraction__of_what_was_forgotten_in_more_words__stores_nothing(
    acme: httpx.Client, globex: httpx.Client, ann: str
) -> None:
    for text in ("Has a peanut allergy.", "I live in Lisbon."):
        acme.delete(f"/v1/memories/{told(acme, ann, text).json()['id']}")
    for text in ("Has a severe peanut allergy.", "Is allergic to peanuts."):
        refused = told(acme, ann, text, extracted=True)
        assert (refused.status_code, refused.json()["code"]) == (409, "forgotten_before")
    talk = {"subject_id": ann, "transcript": [{"role": "user", "content": "I live in sunny Lisbon these days."}]}
    (read,) = acme.post("/v1/memories", json=talk).json()["data"]
    assert read["error"]["code"] == "forgotten_before"
    assert acme.get("/v1/memories", params={"subject_id": ann}).json()["data"] == []
    assert told(acme, ann, "Has a walnut allergy.", extracted=True).status_code == 201
    assert told(globex, ann, "Is allergic to peanuts.", extracted=True).status_code == 201


@pytest.mark.parametrize(
    "asked",
    [
        "I don't want to talk about my divorce",
        "Let's not discuss my divorce",
        "please avoid my divorce",
        "I do not want you to mention my divorce",
        "forget about my divorce",
        "I'd rather not be reminded of my divorce, please.",
        "Could you please not bring my divorce up again?",
        "My divorce is off-limits!",
    ],
)
def test_boundary__asked_for_in_plain_words__hides_the_topic_and_says_how_much(
    acme: httpx.Client, globex: httpx.Client, ann: str, asked: str
) -> None:
    for client in (acme, globex):
        told(client, ann, "My divorce was finalised in May.")
        told(client, ann, "The wedding was in June.")
    line = acme.post(f"/v1/subjects/{ann}/boundaries", json={"kind": "topic", "statement": asked}).json()
    assert (line["statement"].casefold(), line["hides"]) == ("my divorce", 1)
    assert known(acme, ann, "divorce wedding") == ["The wedding was in June."]
    assert len(known(globex, ann, "divorce wedding")) == 2


def test_memory_told_by_two_sources__one_taken_back__stays_with_the_other(
    acme: httpx.Client, globex: httpx.Client, ann: str
) -> None:
    shared = {"memory_scope": "profile"}
    for client in (acme, globex):
        first = told(client, ann, "Lives near the harbour", source="gmail", **shared).json()
        again = told(client, ann, "Lives near the harbour", source="chat", **shared).json()
        assert (again["id"], again["deduplicated"], first["trust"], again["trust"]) == (first["id"], True, 2, 3)

    def granted(source: str, *, so: bool) -> None:
        acme.put(f"/v1/subjects/{ann}/consents/{source}", json={"granted": so}).raise_for_status()

    asked = {"subject_id": ann, "query": "harbour"}
    granted("gmail", so=False)
    (seen,) = acme.post("/v1/memories/recall", json=asked).json()["data"]
    assert (seen["text"], seen["provenance"]["source"]) == ("Lives near the harbour", "chat")
    granted("chat", so=False)
    assert known(acme, ann, "harbour") == []
    assert known(globex, ann, "harbour") == ["Lives near the harbour"]
    granted("gmail", so=True)
    assert known(acme, ann, "harbour") == ["Lives near the harbour"]
    granted("profile", so=False)
    assert known(acme, ann, "harbour") == []
    granted("profile", so=True)
    (id_,) = [one["id"] for one in acme.get("/v1/memories", params={"subject_id": ann}).json()["data"]]
    acme.patch(f"/v1/memories/{id_}", json={"about": "Ann"}).raise_for_status()
    granted("chat", so=True)
    granted("gmail", so=False)
    assert known(acme, ann, "harbour") == ["Lives near the harbour"]


def test_memory_told_in_other_words__first_source_taken_back__is_hidden(acme: httpx.Client, ann: str) -> None:
    home = {"slot": "home.city", "value": "Oslo", "memory_scope": "profile"}
    told(acme, ann, "The letter went to Oslo, Secret Street 5", source="gmail", **home)
    assert told(acme, ann, "I live in Oslo", source="chat", **home).json()["deduplicated"] is True
    acme.put(f"/v1/subjects/{ann}/consents/gmail", json={"granted": False})
    assert known(acme, ann, "Oslo") == []


def test_batch__of_one_memory_told_twice__has_both_lineages(acme: httpx.Client, ann: str) -> None:
    item = {"subject_id": ann, "text": "Lives near the harbour", "memory_scope": "profile"}
    items = [{**item, "provenance": {"source": source}} for source in ("gmail", "chat", "gmail")]
    assert acme.post("/v1/memories", json={"items": items}).status_code == 201
    acme.put(f"/v1/subjects/{ann}/consents/gmail", json={"granted": False})
    assert known(acme, ann, "harbour") == ["Lives near the harbour"]
    acme.put(f"/v1/subjects/{ann}/consents/chat", json={"granted": False})
    assert known(acme, ann, "harbour") == []


def test_recall_from_the_cache__once_another_memory_is_true__asks_anew(
    acme: httpx.Client, globex: httpx.Client, ann: str
) -> None:
    soon = (datetime.now(UTC) + timedelta(seconds=4)).isoformat()
    for client in (acme, globex):
        told(client, ann, "Works at the harbour")
    told(acme, ann, "Holds the harbour keys", valid_from=soon, source="gmail")
    asked = {"subject_id": ann, "query": "harbour", "memory_scopes": ["chat", "gmail"]}

    def hits(client: httpx.Client) -> list[bool]:
        return [client.post("/v1/memories/recall", json=asked).json()["cache_hit"] for _ in range(6)]

    assert known(acme, ann, "harbour", memory_scopes=["chat", "gmail"]) == ["Works at the harbour"]
    assert True in hits(acme)
    time.sleep(5)
    found = known(acme, ann, "harbour", memory_scopes=["chat", "gmail"])
    assert sorted(found) == ["Holds the harbour keys", "Works at the harbour"]
    assert True in hits(acme)
    assert known(globex, ann, "harbour", memory_scopes=["chat", "gmail"]) == ["Works at the harbour"]
