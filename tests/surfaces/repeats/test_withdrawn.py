"""The same key again after what the answer told was forgotten or taken back: it is not told a second time."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.harness import Gateway
from tests.surfaces.repeats.support import CHAT, fresh, keyed, replayed, turn

SAID = "The spare key lies under the blue pot."


def _stored(client: httpx.Client, subject: str) -> tuple[dict[str, Any], httpx.Response]:
    body = {"subject_id": subject, "text": SAID, "provenance": {"source": "gmail", "ref": "m1"}, "scope": "shared"}
    answer = client.post("/v1/memories", json=body, headers=keyed(f"store-{subject}"))
    assert answer.status_code == 201, answer.text
    return body, answer


def test_recall__twice_with_a_key__is_a_read_and_finds_what_is_there_now(gateway: Gateway) -> None:
    subject = fresh("ann")
    asked = {"subject_id": subject, "query": "Where is the spare key?"}
    for org in (gateway.acme, gateway.globex):
        with org.client() as client:
            memory_id = _stored(client, subject)[1].json()["id"]
            first = client.post("/v1/memories/recall", json=asked, headers=keyed(subject))
            assert [one["id"] for one in first.json()["data"]] == [memory_id]
            if org is gateway.acme:
                client.delete(f"/v1/memories/{memory_id}").raise_for_status()
            second = client.post("/v1/memories/recall", json=asked, headers=keyed(subject))
            assert (second.status_code, replayed(second)) == (200, False)
            assert [one["text"] for one in second.json()["data"]] == ([] if org is gateway.acme else [SAID])


@pytest.mark.parametrize("taken", ["forgotten", "silenced", "revoked", "boundary"])
def test_answer__names_what_may_not_be_told_any_more__is_withdrawn_until_it_may(gateway: Gateway, taken: str) -> None:
    subject = fresh("bea")
    with gateway.acme.client() as client, gateway.globex.client() as other:
        body, stored = _stored(client, subject)
        _, theirs = _stored(other, subject)
        said = turn(subject, "Where is the spare key?", "ikiro/sandbox")
        chat = client.post(CHAT, json=said, headers=keyed(f"chat-{subject}"))
        assert [one["factId"] for one in chat.json()["citations"]] == [stored.json()["id"]]

        def again() -> list[httpx.Response]:
            return [
                client.post("/v1/memories", json=body, headers=keyed(f"store-{subject}")),
                client.post(CHAT, json=said, headers=keyed(f"chat-{subject}")),
            ]

        assert [replayed(answer) for answer in again()] == [True, True]
        memory, person = f"/v1/memories/{stored.json()['id']}", f"/v1/subjects/{subject}"
        if taken == "forgotten":
            client.delete(memory).raise_for_status()
        elif taken == "silenced":
            client.post(f"{memory}/silence").raise_for_status()
        elif taken == "revoked":
            client.put(f"{person}/consents/gmail", json={"granted": False}).raise_for_status()
        else:
            line = client.post(f"{person}/boundaries", json={"kind": "topic", "statement": "the spare key"})
            lifted = f"{person}/boundaries/{line.json()['id']}"
        for answer in again():
            assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_answer_withdrawn")
            assert "blue pot" not in answer.text
        rest = {"subject_id": subject, "status": "active"}
        kept = client.get("/v1/memories", params=rest).json()["data"]
        assert len(kept) == (0 if taken in ("forgotten", "silenced") else 1)  # and it was not done again

        if taken == "forgotten":
            client.post(f"{memory}/restore").raise_for_status()
        elif taken == "silenced":
            client.post(f"{memory}/unsilence").raise_for_status()
        elif taken == "revoked":
            client.put(f"{person}/consents/gmail", json={"granted": True}).raise_for_status()
        else:
            client.delete(lifted).raise_for_status()
        assert [(answer.status_code, replayed(answer)) for answer in again()] == [(201, True), (200, True)]
        unaffected = other.post("/v1/memories", json=body, headers=keyed(f"store-{subject}"))
        assert unaffected.content == theirs.content
