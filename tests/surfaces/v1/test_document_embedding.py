"""A document shows what became of its passages' embeddings, and its retry has them made again; two organizations,
each with an endpoint of its own on a real socket."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.embedding import Embedder
from tests.harness import eventually
from tests.surfaces import clients
from tests.surfaces.v1.test_documents import WITHIN_S, settled
from tests.upstream import Handle, running

acme, globex, library = clients.acme, clients.globex, clients.library

DONE = {"state": "done", "embedded": 2, "pending": 0, "failed": 0, "error_code": None}
REFUSED = {"state": "failed", "embedded": 0, "pending": 0, "failed": 2, "error_code": "embedding_refused"}


@pytest.fixture(autouse=True)
def prepared(library: None, embedder: Embedder) -> None:
    embedder.ready()


@pytest.fixture
def endpoint(acme: httpx.Client) -> Iterator[Handle]:
    """Acme's own embeddings endpoint; everybody else keeps the built-in model."""
    with running() as server:
        key = f"sk-{secrets.token_hex(16)}"
        mine = {"name": "vectors", "kind": "openai", "base_url": server.base_url, "api_key": key}
        acme.post("/v1/providers", json=mine).raise_for_status()
        acme.put("/v1/embeddings/settings", json={"model": "vectors/small", "dimensions": 16}).raise_for_status()
        yield server
        acme.put("/v1/embeddings/settings", json={"model": None}).raise_for_status()
        for provider in acme.get("/v1/providers?limit=100").json()["data"]:
            acme.delete(f"/v1/providers/{provider['id']}")


def upload(client: httpx.Client) -> str:
    """A document of two passages that nobody has said before."""
    word = f"zor{secrets.token_hex(4)}"
    text = (
        f"# Rules\n\n## Tickets\nEverybody gets eleven {word} tickets.\n\n## Parking\nThe {word} yard is in the north."
    )
    made = client.post("/v1/documents", json={"name": f"Handbook {word}", "text": text}).raise_for_status().json()
    assert made["document"]["embedding"] is None
    assert settled(client, made["document"]["id"])["state"] == "ready"
    return str(made["document"]["id"])


def embedding(client: httpx.Client, document_id: str) -> dict[str, Any]:
    return dict(client.get(f"/v1/documents/{document_id}").raise_for_status().json()["embedding"])


def becomes(client: httpx.Client, document_id: str, wanted: dict[str, Any]) -> None:
    eventually(lambda: embedding(client, document_id) == wanted, within=WITHIN_S)


def retried(client: httpx.Client, document_id: str) -> list[Any]:
    """The audit entries of retries of this document."""
    entries = client.get("/v1/audit", params={"action": "document.retried", "limit": 100}).raise_for_status().json()
    return [one for one in entries["data"] if one["target"] == document_id]


def test_document__passages_that_the_model_refused__shows_them_and_its_retry_has_them_embedded(
    acme: httpx.Client, globex: httpx.Client, endpoint: Handle
) -> None:
    endpoint.script("status", code=400)
    refused, theirs = upload(acme), upload(globex)
    becomes(acme, refused, REFUSED)
    becomes(globex, theirs, DONE)
    listed = acme.get("/v1/documents", params={"limit": 100}).json()["data"]
    assert {one["id"]: one["embedding"] for one in listed}[refused] == REFUSED
    events = acme.get("/v1/events", params={"type": "ingestion.error"}).json()["data"]
    assert (events[0]["source"], events[0]["code"]) == ("embedding", "embedding_refused")

    # Another organization's retry is none of ours, and changes nothing.
    assert globex.post(f"/v1/documents/{refused}/retry").status_code == 404
    assert embedding(acme, refused) == REFUSED

    endpoint.script("normal")
    answer = acme.post(f"/v1/documents/{refused}/retry")
    assert answer.status_code == 202, answer.text
    found = answer.json()
    assert (found["document"]["state"], found["operation"], found["deduplicated"]) == ("ready", None, False)
    assert found["document"]["embedding"] == {
        **REFUSED,
        "state": "pending",
        "pending": 2,
        "failed": 0,
        "error_code": None,
    }
    becomes(acme, refused, DONE)
    assert len(retried(acme, refused)) == 1


def test_document__endpoint_that_answers_nobody__shows_why_and_its_retry_asks_at_once(
    acme: httpx.Client, endpoint: Handle
) -> None:
    endpoint.script("status", code=401)
    document = upload(acme)

    def failed() -> dict[str, Any] | None:
        found = embedding(acme, document)
        return found if found["state"] == "failed" else None

    found = eventually(failed, within=WITHIN_S)
    events = acme.get("/v1/events", params={"type": "ingestion.error"}).json()["data"]
    assert {**found, "error_code": events[0]["code"]} == found
    assert {**REFUSED, "pending": 2, "failed": 0, "error_code": found["error_code"]} == found
    endpoint.script("normal")
    assert acme.post(f"/v1/documents/{document}/retry").status_code == 202
    becomes(acme, document, DONE)


def test_retry__of_a_document_that_lacks_nothing__is_409_and_nothing_happens(
    acme: httpx.Client, globex: httpx.Client, endpoint: Handle
) -> None:
    endpoint.script("normal")
    for client in (acme, globex):
        document = upload(client)
        becomes(client, document, DONE)
        answer = client.post(f"/v1/documents/{document}/retry")
        assert (answer.status_code, answer.json()["code"]) == (409, "document_not_failed")
        assert embedding(client, document) == DONE
        assert retried(client, document) == []


def test_retry__of_one_document__leaves_what_was_refused_of_others(acme: httpx.Client, endpoint: Handle) -> None:
    endpoint.script("status", code=422)
    first, second = upload(acme), upload(acme)
    for document in (first, second):
        becomes(acme, document, REFUSED)
    endpoint.script("normal")
    acme.post(f"/v1/documents/{first}/retry").raise_for_status()
    becomes(acme, first, DONE)
    assert embedding(acme, second) == REFUSED
