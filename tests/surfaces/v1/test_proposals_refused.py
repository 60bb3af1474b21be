"""What never becomes a proposal, because it could never be carried out; and what is taken back."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.surfaces import clients
from tests.surfaces.v1.test_proposals_reach import active, propose, remember

acme, globex = clients.acme, clients.globex


@pytest.fixture
def who() -> str:
    return f"refused-{uuid4().hex[:8]}"


def known(client: httpx.Client, who: str) -> bool:
    return client.get(f"/v1/subjects/{who}").status_code == 200


MEMORY = "memory.upsert"
MAIL = {"to": ["ana@example.org"], "subject": "Hello", "body": "Hi"}


@pytest.mark.parametrize(
    ("kind", "payload", "pointer"),
    [
        (MEMORY, {"text": "x", "valid_from": "nonsense"}, "#/payload/valid_from"),
        (MEMORY, {"text": "x", "valid_from": "2026-01-01T09:00:00"}, "#/payload/valid_from"),
        (MEMORY, {"text": "x", "valid_from": "2026-02-01T00:00:00Z", "valid_to": "2026-01-01T00:00:00Z"},
         "#/payload/valid_to"),
        (MEMORY, {"text": "x", "expires_at": "2020-01-01T00:00:00Z"}, "#/payload/expires_at"),
        (MEMORY, {"text": "x", "slot": " "}, "#/payload/slot"),
        (MEMORY, {"text": "x", "value": "v" * 40_000}, "#/payload/value"),
        ("memory.forget", {"memory_id": "mem_" + "0" * 26}, "#/payload/memory_id"),
        ("email.draft", {**MAIL, "subject": "two\u2028lines"}, "#/payload"),
    ],
    ids=["no_time", "no_offset", "ends_first", "expired", "slot", "large", "no_memory", "subject"],
)  # fmt: skip
def test_payload__that_could_never_be_carried_out__is_422_and_leaves_nothing(acme, who, kind, payload, pointer):
    refused = propose(acme, who, kind, payload)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_proposal")
    assert [one["pointer"] for one in refused.json()["errors"]] == [pointer]
    assert not known(acme, who)


def test_source__blank__is_422(acme, who):
    refused = propose(acme, who, MEMORY, {"text": "Likes figs"}, source=" ")
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "#/source")
    made = propose(acme, who, MEMORY, {"text": "Likes figs"}, source=" :7").json()
    assert acme.post(f"/v1/proposals/{made['id']}/approve").json()["state"] == "executed"


def test_type__unknown__is_422_and_lists_the_types(acme, globex, who):
    for client in (acme, globex):
        refused = propose(client, who, "nope.x", {})
        assert (refused.status_code, refused.json()["code"]) == (422, "unknown_type")
        assert refused.json()["errors"][0]["pointer"] == "#/type"
        assert "calendar.create, email.draft, memory.forget, memory.upsert" in refused.json()["detail"]
        assert not known(client, who)


def test_persona__unknown__is_422(acme, who):
    refused = propose(acme, who, MEMORY, {"text": "Likes figs"}, persona_id="nobody-at-all")
    assert (refused.status_code, refused.json()["code"]) == (422, "unknown_persona")
    assert refused.json()["errors"][0]["pointer"] == "#/persona_id"
    assert not known(acme, who)


@pytest.mark.parametrize("when", ["9999-12-31", "9999-12-31T23:59:59+00:00"])
def test_calendar__past_the_end_of_time__says_what_is_unclear(acme, who, when):
    made = propose(acme, who, "calendar.create", {"title": "x", "when": when})
    assert (made.status_code, made.json()["diff"]["problem"]) == (201, "calendar_time_unclear")


def _chat(client: httpx.Client, who: str, said: str) -> dict[str, Any]:
    asked = [{"role": "user", "content": said}]
    body = {"model": "ikiro/sandbox", "persona_id": "brand-default", "subject_id": who, "messages": asked}
    return client.post("/v1/chat", json=body).raise_for_status().json()


def test_chat__a_date_past_the_end_of_time__keeps_the_turn_and_the_other_wish(acme, who):
    answer = _chat(acme, who, "Schedule dinner on 9999-12-31. Remember that I like oolong.")
    assert sorted(one["type"] for one in answer["proposedWrites"]) == ["calendar.create", "memory.upsert"]
    kept = acme.get(f"/v1/conversations/{answer['conversation_id']}").raise_for_status().json()
    assert "oolong" in str(kept["turns"])


def test_compensate__an_upsert_that_replaced_a_fact__brings_it_back(acme, globex, who):
    for client in (acme, globex):
        old = remember(client, who, {"text": "Lives in Oslo", "slot": "home.city", "value": "Oslo"}, "chat")
        rome = {"text": "Lives in Rome", "slot": "home.city", "value": "Rome"}
        made = propose(client, who, MEMORY, {**rome, "scope": "org"}).json()
        done = client.post(f"/v1/proposals/{made['id']}/approve").json()
        assert (done["state"], list(done["result"]["superseded"])) == ("executed", [old])
        if client is globex:
            continue
        undone = client.post(f"/v1/proposals/{made['id']}/compensate").json()
        assert undone["compensation"]["result"]["reopened"] == [old]
        assert active(client, who) == ["Lives in Oslo"]
        asked = {"subject_id": who, "query": "Where does she live?", "k": 5}
        found = client.post("/v1/memories/recall", json=asked).raise_for_status().json()
        assert [one["text"] for one in found["data"]] == ["Lives in Oslo"]
    assert active(globex, who) == ["Lives in Rome"]


def test_compensate__something_newer_holds_the_slot__leaves_it(acme, who):
    remember(acme, who, {"text": "Lives in Oslo", "slot": "home.city", "value": "Oslo", "scope": "org"}, "chat")
    rome = {"text": "Lives in Rome", "slot": "home.city", "value": "Rome", "scope": "org"}
    made = propose(acme, who, MEMORY, rome).json()
    assert acme.post(f"/v1/proposals/{made['id']}/approve").json()["state"] == "executed"
    remember(acme, who, {"text": "Lives in Bergen", "slot": "home.city", "value": "Bergen", "scope": "org"}, "chat")
    undone = acme.post(f"/v1/proposals/{made['id']}/compensate").json()
    assert undone["compensation"]["result"]["reopened"] == []
    assert active(acme, who) == ["Lives in Bergen"]
