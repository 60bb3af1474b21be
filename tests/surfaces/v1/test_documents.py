"""``/v1/documents`` in front of the running product: read, recalled, cited, forgotten; two organizations."""

from __future__ import annotations

import secrets
from typing import Any

import httpx
import pytest

from tests.engine.documents.files import pdf
from tests.harness import Gateway, eventually
from tests.surfaces import clients
from tests.surfaces.v1.test_chat import body as turn_body

acme, globex, library = clients.acme, clients.globex, clients.library
pytestmark = pytest.mark.usefixtures("library")

WITHIN_S = 60


def handbook() -> tuple[str, str]:
    """(a word that nothing else has, a document that uses it)."""
    word = f"zor{secrets.token_hex(4)}"
    text = (
        f"# Rules\n\n## The {word} allowance\nEverybody gets eleven free {word} tickets a year.\n\n## Parking\nNorth."
    )
    return word, text


def settled(client: httpx.Client, document_id: str) -> dict[str, Any]:
    """The document once it is read, or cannot be."""

    def look() -> dict[str, Any] | None:
        found = client.get(f"/v1/documents/{document_id}").raise_for_status().json()
        return found if found["state"] in ("ready", "failed") else None

    return dict(eventually(look, within=WITHIN_S))


def recalled(client: httpx.Client, query: str, subject: str = "usr_reader", **more: Any) -> list[dict[str, Any]]:
    wanted = {"subject_id": subject, "query": query, **more}
    return list(client.post("/v1/memories/recall", json=wanted).raise_for_status().json()["data"])


def test_document__uploaded__is_recalled_for_everybody_here_and_cited_by_passage(acme, globex):
    word, text = handbook()
    answer = acme.post("/v1/documents", json={"name": "Handbook", "text": text})
    assert answer.status_code == 202, answer.text
    made = answer.json()
    assert (made["deduplicated"], made["operation"]["kind"]) == (False, "document.ingest")
    document = settled(acme, made["document"]["id"])
    assert (document["state"], document["passages"], document["error"]) == ("ready", 2, None)
    question = f"How many free {word} tickets does everybody get?"
    acme.post("/v1/memories", json={"subject_id": "usr_reader", "text": "Likes tea.", "provenance": {"source": "chat"}})
    assert recalled(acme, question)[0]["provenance"]["ref"] == f"{document['id']}#1"
    turn = acme.post("/v1/chat", json=turn_body("usr_reader", question)).raise_for_status().json()
    assert "eleven" in turn["choices"][0]["message"]["content"]
    assert turn["citations"][0]["uri"] == f"org_kb://{document['id']}#1"
    passages = acme.get(f"/v1/documents/{document['id']}/passages").json()
    assert [(one["position"], one["heading"]) for one in passages["data"]] == [
        (1, f"Rules › The {word} allowance"),
        (2, "Rules › Parking"),
    ]
    assert passages["next_first"] is None
    # A caller who asks for other collections gets none of it, and neither does another organization.
    assert recalled(acme, question, memory_scopes=["chat"]) == []
    assert recalled(globex, question) == []
    assert globex.get(f"/v1/documents/{document['id']}").status_code == 404


def test_document__the_same_bytes_again__is_the_same_document(acme, globex):
    _, text = handbook()
    sent = {"name": "Handbook", "text": text}
    first = acme.post("/v1/documents", json=sent).json()["document"]
    again = acme.post("/v1/documents", json={**sent, "name": "Copy"})
    assert (again.status_code, again.json()["deduplicated"]) == (200, True)
    assert again.json()["document"]["id"] == first["id"]
    assert globex.post("/v1/documents", json=sent).status_code == 202
    settled(acme, first["id"])


def test_document__as_its_own_bytes__is_read_with_its_pages(acme, globex):
    word, _ = handbook()
    data = pdf("Nothing here.", f"The {word} closes at noon.")
    answer = acme.post(
        "/v1/documents", params={"name": "Hours.pdf"}, content=data, headers={"content-type": "application/pdf"}
    )
    assert answer.status_code == 202, answer.text
    document = settled(acme, answer.json()["document"]["id"])
    assert (document["state"], document["pages"], document["size"]) == ("ready", 2, len(data))
    pages = acme.get(f"/v1/documents/{document['id']}/passages").json()["data"]
    assert [(one["page"], word in one["text"]) for one in pages] == [(1, False), (2, True)]
    assert globex.get("/v1/documents", params={"q": "Hours"}).json()["data"] == []


def test_document__that_cannot_be_read__fails_with_an_event_and_may_be_tried_again(acme, globex):
    answer = acme.post(
        "/v1/documents",
        params={"name": "Broken.pdf"},
        content=b"%PDF-1.4 " + secrets.token_bytes(30),
        headers={"content-type": "application/pdf"},
    )
    document = settled(acme, answer.json()["document"]["id"])
    assert (document["state"], document["error"]["code"]) == ("failed", "document_unreadable")
    events = acme.get("/v1/events", params={"type": "ingestion.error"}).json()["data"]
    assert events[0]["ref"] == document["id"]
    assert acme.get("/v1/documents", params={"state": "failed", "q": "Broken"}).json()["data"] != []
    assert acme.post(f"/v1/documents/{document['id']}/retry").status_code == 202
    assert settled(acme, document["id"])["state"] == "failed"
    assert globex.post(f"/v1/documents/{document['id']}/retry").status_code == 404


def test_document__removed__is_found_no_more_but_what_another_says_too_is(acme, globex):
    word, text = handbook()
    kept = acme.post("/v1/documents", json={"name": "Rules", "text": text}).json()["document"]["id"]
    settled(acme, kept)
    # The same section word for word under the same name, in a document that says more.
    more = acme.post("/v1/documents", json={"name": "Rules", "text": f"{text}\n\n## {word} more\nA {word} surplus."})
    gone = more.json()["document"]["id"]
    settled(acme, gone)
    assert recalled(acme, f"{word} surplus")
    assert acme.delete(f"/v1/documents/{gone}").status_code == 202
    eventually(lambda: acme.get(f"/v1/documents/{gone}").status_code == 404, within=WITHIN_S)
    texts = [one["text"] for one in recalled(acme, f"{word} surplus tickets")]
    assert texts
    assert not any("surplus" in one for one in texts)
    assert acme.get(f"/v1/documents/{kept}").json()["state"] == "ready"
    assert globex.delete(f"/v1/documents/{kept}").status_code == 404


def test_document__earlier_version_removed__is_cited_from_the_one_that_is_left(acme, globex):
    word, text = handbook()
    versions = [text, f"{text}\n\n## News\nThe canteen moved."]
    for client in (acme, globex):
        first, second = (
            client.post("/v1/documents", json={"name": "Handbook", "text": one}).json()["document"]["id"]
            for one in versions
        )
        for one in (first, second):
            settled(client, one)
        question = f"How many free {word} tickets does everybody get?"
        assert recalled(client, question)[0]["provenance"]["ref"] == f"{first}#1"  # and is cached
        client.delete(f"/v1/documents/{first}").raise_for_status()
        eventually(lambda: client.get(f"/v1/documents/{first}").status_code == 404, within=WITHIN_S)  # noqa: B023

        found = recalled(client, question)[0]
        assert found["provenance"]["ref"] == f"{second}#1"
        assert f"eleven free {word} tickets" in found["provenance"]["snippet"]
        turn = client.post("/v1/chat", json=turn_body("usr_reader", question)).raise_for_status().json()
        assert turn["citations"][0]["uri"] == f"org_kb://{second}#1"
        passages = client.get(f"/v1/documents/{second}/passages").json()["data"]
        assert [one["position"] for one in passages] == [1, 2, 3]
        memory = client.get(f"/v1/memories/{found['id']}").json()
        assert memory["provenance"]["ref"] == f"{second}#1"


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        ({"json": {"name": "", "text": "x"}}, 422, "invalid_request"),
        ({"json": {"name": "n", "text": "x", "media_type": "image/png"}}, 422, "invalid_request"),
        ({"content": b"x", "headers": {"content-type": "image/png"}}, 422, "unsupported_media_type"),
        ({"content": b"x", "headers": {"content-type": "text/plain"}}, 422, "invalid_request"),
    ],
    ids=["no-name", "kind", "body-kind", "body-without-name"],
)
def test_document__that_cannot_be__is_refused_and_nothing_is_kept(acme, globex, sent, status, code):
    before = [client.get("/v1/documents", params={"limit": 1}).json()["data"] for client in (acme, globex)]
    answer = acme.post("/v1/documents", **sent)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert [client.get("/v1/documents", params={"limit": 1}).json()["data"] for client in (acme, globex)] == before


@pytest.mark.parametrize(
    "narrowed", [{"subject_ids": ["usr_1"]}, {"memory_scopes": ["gmail"]}], ids=["subject", "scope"]
)
def test_document__with_a_narrow_key__is_refused(gateway: Gateway, acme, narrowed):
    made = acme.post("/v1/keys", json={"name": "narrow", "mode": "test", **narrowed}).raise_for_status().json()
    with gateway.acme.client(made["secret"]) as client:
        answers = [client.post("/v1/documents", json={"name": "n", "text": handbook()[1]}), client.get("/v1/documents")]
    assert [one.status_code for one in answers] == [403, 403]


def test_transcript__of_a_conversation__becomes_what_the_person_said_and_nothing_else(acme, globex):
    subject = f"talk-{secrets.token_hex(4)}"
    conversation = {
        "subject_id": subject,
        "thread_id": "call-1",
        "occurred_at": "2026-03-01T10:00:00Z",
        "transcript": [
            {"role": "assistant", "content": "I live in the cloud. My name is Vex."},
            {"role": "user", "content": "My name is Dana and I live in Lisbon. What about you?"},
            {"role": "user", "content": "Nice weather, isn't it?"},
            {"role": "user", "content": "I moved to Porto in March.", "at": "2026-03-20T09:00:00Z"},
        ],
    }
    answer = acme.post("/v1/memories", json=conversation)
    assert answer.status_code == 201, answer.text
    found = answer.json()
    assert [(one["message"], one["text"]) for one in found["data"]] == [
        (1, "My name is Dana"),
        (1, "I live in Lisbon."),
        (3, "I moved to Porto in March."),
    ]
    assert found["skipped"] == [{"index": 0, "reason": "not_the_subject"}, {"index": 2, "reason": "nothing_stated"}]
    kept = acme.get("/v1/memories", params={"subject_id": subject}).json()["data"]
    assert {(one["slot"], one["value"]) for one in kept} == {("identity.name", "Dana"), ("home.city", "Porto")}
    assert acme.post("/v1/memories", json=conversation).json()["data"][0]["deduplicated"] is True
    # What was forgotten does not come back from the same conversation.
    name = next(one for one in kept if one["slot"] == "identity.name")
    acme.delete(f"/v1/memories/{name['id']}").raise_for_status()
    once_more = acme.post("/v1/memories", json=conversation).json()["data"]
    assert once_more[0]["error"]["code"] == "forgotten_before"
    assert globex.get("/v1/memories", params={"subject_id": subject}).json()["data"] == []
