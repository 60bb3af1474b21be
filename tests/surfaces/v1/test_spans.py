"""Where in its source a memory's words stand: sent, kept for every source, shown, recalled and cited."""

from __future__ import annotations

import secrets

import httpx
import pytest

from tests.surfaces import clients
from tests.surfaces.v1.test_chat import body as turn_body
from tests.surfaces.v1.test_documents import settled

acme, globex, library = clients.acme, clients.globex, clients.library
pytestmark = pytest.mark.django_db


def test_span__of_every_source__is_shown_recalled_cited_and_exported(acme: httpx.Client, globex: httpx.Client) -> None:
    ann = f"ann-{secrets.token_hex(4)}"
    first = {"source": "gmail", "ref": "m1", "snippet": "the blue pot", "span": [120, 132]}
    second = {"source": "drive", "ref": "d7", "snippet": None, "span": [0, 9]}
    told = {"subject_id": ann, "text": "The spare key lies under the blue pot.", "scope": "shared"}
    memory_scope = {"memory_scope": "gmail"}
    made = acme.post("/v1/memories", json={**told, **memory_scope, "provenance": first})
    assert (made.status_code, made.json()["provenance"]) == (201, first)
    again = acme.post("/v1/memories", json={**told, **memory_scope, "provenance": second}).json()
    assert (again["id"], again["deduplicated"]) == (made.json()["id"], True)
    globex.post("/v1/memories", json={**told, "provenance": {"source": "gmail"}}).raise_for_status()

    shown = acme.get(f"/v1/memories/{again['id']}").json()
    assert (shown["provenance"], shown["sources"]) == (first, [first, second])
    asked = {"subject_id": ann, "query": "Where is the spare key?"}
    assert acme.post("/v1/memories/recall", json=asked).json()["data"][0]["provenance"] == first
    assert globex.post("/v1/memories/recall", json=asked).json()["data"][0]["provenance"]["span"] is None
    turn = acme.post("/v1/chat", json=turn_body(ann, "Where is the spare key?")).raise_for_status().json()
    assert turn["citations"][0]["span"] == [120, 132]
    exported = acme.get(f"/v1/subjects/{ann}/export").json()["data"]
    assert [[one["span"] for one in line["sources"]] for line in exported if line["type"] == "memory"] == [
        [[120, 132], [0, 9]]
    ]
    corrected = acme.patch(f"/v1/memories/{again['id']}", json={"text": "The spare key lies under the red pot."})
    assert acme.get(f"/v1/memories/{corrected.json()['id']}").json()["sources"] == [first, second]


@pytest.mark.parametrize("span", [[5, 5], [5, 4], [-1, 4], [0, 2**31], [1], [1, 2, 3], ["a", "b"]])
def test_span__that_is_none__is_422_and_stores_nothing(acme: httpx.Client, span: list[object]) -> None:
    ann = f"ann-{secrets.token_hex(4)}"
    sent = {"subject_id": ann, "text": "Likes tea.", "provenance": {"source": "gmail", "span": span}}
    answer = acme.post("/v1/memories", json=sent)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["pointer"].startswith("#/provenance/span")
    assert acme.get(f"/v1/subjects/{ann}").status_code == 404


def test_span__of_a_passage__is_where_it_stands_in_the_document(acme: httpx.Client, library: None) -> None:
    word = f"zor{secrets.token_hex(4)}"
    text = f"# Rules\n\n## Tickets\n  Everybody gets eleven\n   free {word} tickets. \n\n## Parking\nNorth."
    document = acme.post("/v1/documents", json={"name": "Rules", "text": text}).json()["document"]["id"]
    settled(acme, document)
    asked = {"subject_id": "usr_reader", "query": f"How many free {word} tickets?"}
    begins, ends = acme.post("/v1/memories/recall", json=asked).json()["data"][0]["provenance"]["span"]
    assert text[begins:ends] == f"Everybody gets eleven\n   free {word} tickets."
