"""What is refused is not counted, leaves no subject behind, and is told where nothing at all could be stored."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.harness import Gateway, Org, eventually
from tests.surfaces import clients

globex = clients.globex
PRICE = 1_000  # micro-dollars for each operation beyond the plan
PAST, FUTURE = "2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z"


@pytest.fixture(scope="module")
def charged(gateway: Gateway) -> Iterator[Org]:
    """An organization whose plan includes no memory operation, so that each shows in what was spent, at once."""
    org = gateway.org("refusing")
    gateway.manage("orgs", "limits", org.slug, "memory_operations=0")
    with org.client() as client:
        billed = eventually(lambda: client.get("/v1/billing").json()["memory_operations"], within=10)
        assert billed["included"] == 0
    yield org
    gateway.manage("orgs", "limits", org.slug, "memory_operations=none")


@pytest.fixture
def acme(charged: Org) -> Iterator[httpx.Client]:
    with charged.client() as client:
        yield client


@pytest.fixture
def ann() -> str:
    return f"ann-{secrets.token_hex(4)}"


def used(client: httpx.Client) -> int:
    return int(client.get("/v1/limits").raise_for_status().json()["spent_micros"]) // PRICE


def said(subject: str, **more: Any) -> dict[str, Any]:
    return {"subject_id": subject, "text": "Likes tea.", "provenance": {"source": "chat"}, **more}


def read_out(client: httpx.Client, subject: str) -> None:
    """Make it so that a program may read nothing out of the subject's conversations."""
    client.put(f"/v1/subjects/{subject}/consents/chat", json={"granted": False}).raise_for_status()


REFUSED: dict[str, Callable[[httpx.Client, str], httpx.Response]] = {
    "recall of the future": lambda client, ann: client.post(
        "/v1/memories/recall", json={"subject_id": ann, "query": "tea", "as_of": FUTURE}
    ),
    "validity that ends first": lambda client, ann: client.post(
        "/v1/memories", json=said(ann, valid_from=FUTURE, valid_to="2998-01-01T00:00:00Z")
    ),
    "id that no subject has": lambda client, ann: client.post("/v1/memories", json=said(f" {ann}")),
    "revoked source": lambda client, ann: [
        read_out(client, ann), client.post("/v1/memories", json=said(ann, extracted=True))
    ][1],
    "transcript in no time zone": lambda client, ann: client.post(
        "/v1/memories", json={"subject_id": ann, "occurred_at": "2026-01-31T09:00:00",
                              "transcript": [{"role": "user", "content": "I like tea."}]}
    ),
    "unknown persona": lambda client, ann: client.post(
        "/v1/packs/precompose", json={"persona_id": "nobody", "subject_id": ann, "query": "tea"}
    ),
    "document without a name": lambda client, ann: client.post(
        "/v1/documents", params={"name": " "}, content=b"x", headers={"content-type": "text/plain"}
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_refused__is_no_memory_operation(acme: httpx.Client, ann: str, what: str) -> None:
    before = used(acme)
    answer = REFUSED[what](acme, ann)
    assert answer.status_code in (403, 404, 422), answer.text
    assert used(acme) == before
    assert acme.get("/v1/memories", params={"subject_id": ann}).json()["data"] == []


def test_batch__with_items_that_are_refused__counts_and_creates_for_the_others_alone(
    acme: httpx.Client, globex: httpx.Client, ann: str
) -> None:
    ghost, taken = f"{ann}-ghost", f"{ann}-taken"
    read_out(acme, taken)
    before = used(acme)
    items = [
        said(ghost, expires_at=PAST), said(f" {ghost}"), said(ann), said(taken, extracted=True),
        said(f"{ghost}-2", extracted=True, speaker="assistant"),
    ]  # fmt: skip
    answer = acme.post("/v1/memories", json={"items": items})
    assert answer.status_code == 201, answer.text
    assert [one.get("error", {}).get("code") for one in answer.json()["data"]] == [
        "invalid_request", "invalid_request", None, "source_revoked", "assistant_text",
    ]  # fmt: skip
    assert used(acme) == before + 1
    assert globex.get("/v1/subjects", params={"query": ann}).json()["data"] == []
    subjects = acme.get("/v1/subjects", params={"query": ann}).json()["data"]
    assert sorted(one["id"] for one in subjects) == [ann, taken]


def test_batch_for_a_worker__with_an_item_that_is_wrong__is_refused_whole_and_counts_nothing(
    acme: httpx.Client, ann: str
) -> None:
    before = used(acme)
    answer = acme.post(
        "/v1/memories", json={"items": [said(ann), said(ann, expires_at=PAST)]}, headers={"prefer": "respond-async"}
    )
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "#/items/1/expires_at")
    assert used(acme) == before
    assert acme.get(f"/v1/subjects/{ann}").status_code == 404


def test_batch__one_item_of_a_subject_that_is_being_erased__is_refused_alone(acme: httpx.Client, ann: str) -> None:
    gone = f"{ann}-gone"
    acme.post("/v1/memories", json=said(gone)).raise_for_status()
    operation = acme.delete(f"/v1/subjects/{gone}").raise_for_status().json()["operation"]["id"]
    answer = acme.post("/v1/memories", json={"items": [said(gone), said(ann)]})
    assert answer.status_code == 201, answer.text
    refused, stored = answer.json()["data"]
    assert refused["error"]["code"] == "subject_erasing"
    assert "id" in stored
    eventually(lambda: acme.get(f"/v1/operations/{operation}").json()["state"] == "succeeded", within=60)


def test_proposal__that_is_refused__leaves_no_subject(acme: httpx.Client, ann: str) -> None:
    wrong = {"type": "memory.upsert", "payload": {"nothing": "fits"}, "subject_id": ann}
    assert acme.post("/v1/proposals", json=wrong).status_code == 422
    assert acme.get(f"/v1/subjects/{ann}").status_code == 404


def test_transcript__of_which_nothing_may_be_stored__costs_nothing_and_says_so(
    acme: httpx.Client, globex: httpx.Client, ann: str
) -> None:
    read_out(acme, ann)
    before = used(acme)
    sent = {
        "subject_id": ann, "thread_id": f"thread-{ann}",
        "transcript": [{"role": "user", "content": "I live in Oslo. I like tea."}],
    }  # fmt: skip
    answer = acme.post("/v1/memories", json=sent)
    assert answer.status_code == 201, answer.text
    assert {one["error"]["code"] for one in answer.json()["data"]} == {"source_revoked"}
    events = {
        client: [
            one
            for one in client.get("/v1/events", params={"type": "ingestion.error", "limit": 100}).json()["data"]
            if one.get("ref") == f"thread-{ann}"
        ]
        for client in (acme, globex)
    }
    assert [(one["source"], one["code"]) for one in events[acme]] == [("chat", "source_revoked")]
    assert events[globex] == []
    assert used(acme) == before
    stored = globex.post("/v1/memories", json=sent).json()["data"]
    assert [set(one) for one in stored] == [{"index", "id", "deduplicated", "message", "text"}] * len(stored)
    acme.put(f"/v1/subjects/{ann}/consents/chat", json={"granted": True}).raise_for_status()
    assert len(acme.post("/v1/memories", json=sent).json()["data"]) == len(stored)
    assert used(acme) == before + len(stored)


def test_transcript__what_became_of_it__is_in_the_metrics(gateway: Gateway, acme: httpx.Client, ann: str) -> None:
    def written() -> float:
        lines = httpx.get(f"{gateway.base_url}/metrics").text.splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith("ikiro_memory_writes_total{"))

    before = written()
    sent = {"subject_id": ann, "transcript": [{"role": "user", "content": "I live in Oslo. I like tea."}]}
    stored = acme.post("/v1/memories", json=sent).raise_for_status().json()["data"]
    assert stored
    eventually(lambda: written() == before + len(stored), within=10)


def test_document__uploaded_while_its_bytes_are_forgotten__is_told_to_wait(acme: httpx.Client, ann: str) -> None:
    text = "\n\n".join(f"Paragraph {number} of {ann}. " + "word " * 150 for number in range(400))
    document = acme.post("/v1/documents", json={"name": ann, "text": text}).json()["document"]["id"]

    def state() -> Any:
        return acme.get(f"/v1/documents/{document}").json().get("state")

    eventually(lambda: state() == "ready", within=60)
    shown = acme.get(f"/v1/documents/{document}/passages", params={"limit": 200}).json()
    assert (len(shown["data"]), shown["next_first"]) == (200, 201)
    before = used(acme)
    again = acme.post("/v1/documents", json={"name": "Copy", "text": text})
    assert (again.status_code, again.json()["deduplicated"]) == (200, True)
    acme.delete(f"/v1/documents/{document}").raise_for_status()
    busy = acme.post("/v1/documents", json={"name": "Copy", "text": text})
    assert (busy.status_code, busy.json()["code"]) == (409, "document_busy")
    assert int(busy.headers["retry-after"]) > 0
    assert used(acme) == before
    eventually(lambda: acme.get(f"/v1/documents/{document}").status_code == 404, within=60)
