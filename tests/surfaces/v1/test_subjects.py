"""Subjects over HTTP: said who they are, found, exported and erased, in two organizations that share a name."""

from __future__ import annotations

import json
import secrets
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gateway.core import ids
from gateway.engine.conversations import services as conversations
from gateway.platform.receipts import signing
from gateway.platform.requests.models import BodyRow, RequestRow
from tenants import selectors
from tenants.context import scope
from tests.factories.organizations import committed_database
from tests.harness import Gateway, Org, eventually

__all__ = ["committed_database"]
pytestmark = pytest.mark.usefixtures("committed_database")


@pytest.fixture
def subject_id() -> str:
    return f"sub {secrets.token_hex(4)}/ä"


def at(subject_id: str, rest: str = "") -> str:
    return f"/v1/subjects/{quote(subject_id, safe='')}{rest}"


def _filled(org: Org, subject_id: str) -> dict[str, Any]:
    """A subject with a memory, a conversation with a stored turn, and answers kept for repeated requests."""
    with org.client() as client:
        put = client.put(at(subject_id), json={"display_name": "Ada", "attributes": {"plan": "gold"}})
        assert put.status_code == 200, put.text
        memory = client.post(
            "/v1/memories",
            json={"subject_id": subject_id, "text": "Ada drinks green tea.", "type": "fact",
                  "provenance": {"source": "chat", "ref": "m1"}, "confidence": 0.9},
            headers={"idempotency-key": f"mem-{subject_id.encode().hex()}"},
        )  # fmt: skip
        assert memory.status_code == 201, memory.text
        turn = {"model": "ikiro/sandbox", "persona_id": "brand-default", "subject_id": subject_id,
                "messages": [{"role": "user", "content": "Tea?"}]}  # fmt: skip
        chat = client.post("/v1/chat", json=turn, headers={"idempotency-key": f"chat-{subject_id.encode().hex()}"})
        assert chat.status_code == 200, chat.text
        conversation_id = chat.json()["conversation_id"]
        with scope(selectors.organization_by_slug(org.slug).ref):
            conversations.append_turn(
                ids.parse("conv", conversation_id), request_id=ids.uuid7(), question="And milk?", answer="No milk.",
                persona_version=1, model="ikiro/sandbox",
            )  # fmt: skip
        request_id = chat.headers["x-request-id"]
        # The record arrives with the usage stream.
        eventually(lambda: client.get("/v1/requests", params={"subject_id": subject_id}).json()["data"], within=30)
    return {"memory": memory.json()["id"], "conversation": conversation_id, "request": request_id, "turn": turn}


def _erased(org: Org, subject_id: str) -> dict[str, Any]:
    """The receipt of an erasure that a worker carried out."""
    with org.client() as client:
        first = client.delete(at(subject_id))
        assert first.status_code == 202, first.text
        operation_id = first.json()["operation"]["id"]

        def done() -> Any:
            found = client.get(f"/v1/operations/{operation_id}").json()
            assert found["state"] not in {"failed", "cancelled"}, found
            return found if found["state"] == "succeeded" else None

        finished = eventually(done, within=60)
        receipt = client.get(f"/v1/receipts/{finished['result']['receipt_id']}")
        assert receipt.status_code == 200, receipt.text
        return receipt.json()


def test_erase__name_known_in_two_organizations__takes_one_and_its_receipt_verifies_offline(
    gateway: Gateway, subject_id: str
) -> None:
    mine, theirs = _filled(gateway.acme, subject_id), _filled(gateway.globex, subject_id)
    receipt = _erased(gateway.acme, subject_id)

    erased = receipt["document"]["facts"]["erased"]
    assert {name: erased[name] for name in ("conversations", "memories")} == {"conversations": 1, "memories": 1}
    assert erased["turns"] >= 1
    assert erased["memory_postings"] > 0
    assert erased["stored_answers"] >= 2
    assert {"ledger", "audit", "backups"} <= {one["what"] for one in receipt["document"]["facts"]["kept"]}
    assert (receipt["kind"], receipt["subject_id"]) == ("subject.erased", subject_id)
    _verify_offline(gateway, receipt)

    with gateway.acme.client() as client:
        assert client.get(at(subject_id)).json()["code"] == "subject_not_found"
        assert client.get(f"/v1/memories/{mine['memory']}").status_code == 404
        assert client.get(f"/v1/conversations/{mine['conversation']}").status_code == 404
        shown = client.get(f"/v1/requests/{mine['request']}").json()
        again = client.post(
            "/v1/chat", json=mine["turn"], headers={"idempotency-key": f"chat-{subject_id.encode().hex()}"}
        )
        assert again.json()["code"] == "idempotency_answer_too_large"
    with scope(selectors.organization_by_slug("acme").ref):
        assert not RequestRow.objects.filter(subject_id=subject_id).exists()
        assert subject_id not in json.dumps(RequestRow.objects.get(pk=ids.parse("req", mine["request"])).record)
        assert not BodyRow.objects.filter(subject_id=subject_id).exists()
    assert shown["status"] == 200
    with gateway.globex.client() as client:
        assert client.get(at(subject_id)).json()["counts"]["memories"] == 1
        assert client.get(f"/v1/memories/{theirs['memory']}").status_code == 200
        assert client.get(f"/v1/conversations/{theirs['conversation']}").json()["subject_id"] == subject_id
        assert client.get(f"/v1/receipts/{receipt['id']}").json()["code"] == "receipt_not_found"


def _verify_offline(gateway: Gateway, receipt: dict[str, Any]) -> None:
    keys = httpx.get(f"{gateway.base_url}/.well-known/ikiro-receipts.json").json()["keys"]
    (key,) = [one for one in keys if one["kid"] == receipt["document"]["kid"]]
    text = json.dumps(receipt["document"], sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    public = Ed25519PublicKey.from_public_bytes(signing.decoded(key["x"]))
    public.verify(signing.decoded(receipt["signature"]), text)
    told = httpx.post(
        f"{gateway.base_url}/v1/receipts/verify",
        json={"document": receipt["document"], "signature": receipt["signature"]},
    )
    assert told.json() == {"valid": True, "kid": key["kid"]}
    whole = httpx.post(f"{gateway.base_url}/v1/receipts/verify", json=receipt)  # as it was given out
    assert whole.json() == {"valid": True, "kid": key["kid"]}
    forged = {**receipt["document"], "subject_id": "somebody else"}
    told = httpx.post(
        f"{gateway.base_url}/v1/receipts/verify", json={"document": forged, "signature": receipt["signature"]}
    )
    assert told.json()["valid"] is False


def test_export__of_one_subject__has_everything_with_its_sources(gateway: Gateway, subject_id: str) -> None:
    filled = _filled(gateway.acme, subject_id)
    with gateway.acme.client() as client:
        whole = client.get(at(subject_id, "/export"))
        lines = client.get(at(subject_id, "/export"), params={"format": "ndjson"})
        assert whole.status_code == lines.status_code == 200
    document = whole.json()
    found: dict[str, list[dict[str, Any]]] = {}
    for line in document["data"]:
        found.setdefault(line["type"], []).append(line)
    assert document["subject"]["attributes"] == {"plan": "gold"}
    (memory,) = found["memory"]
    assert (memory["id"], memory["text"], memory["sources"][0]["source"]) == (
        filled["memory"], "Ada drinks green tea.", "chat",
    )  # fmt: skip
    assert [one["id"] for one in found["conversation"]] == [filled["conversation"]]
    assert "And milk?" in {one["question"] for one in found["turn"]}
    parsed = [json.loads(line) for line in lines.text.splitlines()]
    assert parsed[0]["type"] == "subject"
    assert len(parsed) == len(document["data"]) + 1
    with gateway.globex.client() as client:
        assert client.get(at(subject_id, "/export")).json()["code"] == "subject_not_found"


def test_subjects__narrowed_key__sees_and_erases_no_more_than_its_own(gateway: Gateway, subject_id: str) -> None:
    other = f"{subject_id} other"
    for name in (subject_id, other):
        with gateway.acme.client() as client:
            client.put(at(name), json={"display_name": name})
    with _key(gateway.acme, subject_ids=[subject_id]) as narrow:
        listed = narrow.get("/v1/subjects", params={"query": "sub "}).json()["data"]
        assert [one["id"] for one in listed] == [subject_id]
        for call in (narrow.get, narrow.delete):
            assert call(at(other)).json()["code"] == "subject_not_allowed"
    with _key(gateway.acme, memory_scopes=["gmail"]) as narrow:
        refused = [narrow.delete(at(other)), narrow.get(at(other, "/export"))]
        assert {answer.json()["code"] for answer in refused} == {"key_too_narrow"}
        assert narrow.get("/v1/conversations").json()["code"] == "memory_scope_not_allowed"
    with _key(gateway.acme, scopes=["memories:write", "memories:read"]) as narrow:
        assert narrow.delete(at(other)).json()["code"] == "scope_missing"
        teams = narrow.put(at(other), json={"team_ids": ["sales"]})
        assert teams.json()["code"] == "scope_missing"
    with gateway.acme.client() as client:
        assert client.get(at(other)).json()["state"] == "active"
        unknown = client.put(at(other), json={"team_ids": [f"no-{secrets.token_hex(3)}"]})
        assert (unknown.status_code, unknown.json()["code"]) == (422, "unknown_team")
        large = client.put(at(other), json={"attributes": {"x": "y" * 9000}})
        assert large.json()["code"] == "attributes_too_large"
        assert "8192" in large.json()["detail"]
        assert client.get(at(other)).json()["team_ids"] == []


def test_conversations__listed_read_and_deleted__by_whoever_may(gateway: Gateway, subject_id: str) -> None:
    filled = _filled(gateway.acme, subject_id)
    path = f"/v1/conversations/{filled['conversation']}"
    with gateway.acme.client() as client:
        listed = client.get(
            "/v1/conversations", params={"subject_id": subject_id, "persona_id": "brand-default"}
        ).json()
        assert [one["id"] for one in listed["data"]] == [filled["conversation"]]
        assert client.get("/v1/conversations", params={"subject_id": "nobody at all"}).json()["data"] == []
        shown = client.get(path, params={"limit": 200}).json()
        assert shown["turns"][-1]["question"] == "And milk?"
        assert shown["turn_count"] == len(shown["turns"])
        with _key(gateway.acme, subject_ids=["another"]) as narrow:
            assert narrow.get(path).json()["code"] == "subject_not_allowed"
            assert narrow.delete(path).json()["code"] == "subject_not_allowed"
            assert narrow.get("/v1/conversations").json()["data"] == []
        with gateway.globex.client() as theirs:
            assert theirs.get(path).json()["code"] == "conversation_not_found"
            assert theirs.delete(path).json()["code"] == "conversation_not_found"
        assert client.get(path).status_code == 200
        assert client.delete(path).status_code == 204
        assert client.get(path).json()["code"] == "conversation_not_found"
        memory = client.get(f"/v1/memories/{filled['memory']}")
        assert memory.status_code == 200  # what was remembered is another matter


def _key(org: Org, **narrowed: Any) -> httpx.Client:
    with org.client() as client:
        made = client.post("/v1/keys", json={"name": "narrow", **narrowed})
        assert made.status_code == 201, made.text
        return org.client(made.json()["secret"])
