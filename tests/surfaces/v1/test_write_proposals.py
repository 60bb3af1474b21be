"""Proposing, deciding and carrying out over HTTP, to servers that really answer: for two organizations."""

from __future__ import annotations

import email
from collections.abc import Iterator
from email.policy import default
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.governance.proposals.outside import CalendarServer, Receiver, calendar_server, receiving, signature_of
from tests.harness import eventually
from tests.surfaces import clients

acme, globex = clients.acme, clients.globex


@pytest.fixture
def who() -> str:
    return f"write-{uuid4().hex[:8]}"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@pytest.fixture(scope="module")
def radicale(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CalendarServer]:
    with calendar_server(tmp_path_factory.mktemp("radicale")) as server:
        yield server


@pytest.fixture
def name() -> str:
    return f"t-{uuid4().hex[:8]}"


def ok(answer: httpx.Response, status: int = 200) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else {}


def propose(client: httpx.Client, who: str, kind: str, payload: dict[str, Any], **more: Any) -> dict[str, Any]:
    return ok(client.post("/v1/proposals", json={"type": kind, "payload": payload, "subject_id": who, **more}), 201)


def wish(client: httpx.Client, who: str, said: str) -> str:
    """What a persona proposed because of a sentence."""
    turn = {"model": "ikiro/sandbox", "persona_id": "brand-default", "subject_id": who}
    answer = ok(client.post("/v1/chat", json={**turn, "messages": [{"role": "user", "content": said}]}))
    return str(answer["proposedWrites"][0]["proposal_id"])


def test_webhook__target_test_propose_approve__arrives_signed_and_the_secret_is_shown_once(
    acme: httpx.Client, globex: httpx.Client, receiver: Receiver, who: str, name: str
) -> None:
    made = ok(acme.put(f"/v1/write-targets/{name}", json={"kind": "webhook", "url": receiver.url}))
    secret = made.pop("secret")
    try:
        assert ok(acme.get(f"/v1/write-targets/{name}"))["secret"] is None
        assert secret not in acme.get("/v1/write-targets").text
        assert (
            ok(acme.put(f"/v1/write-targets/{name}", json={"kind": "webhook", "url": receiver.url}))["secret"] is None
        )
        assert ok(acme.post(f"/v1/write-targets/{name}/test"))["ok"] is True
        assert receiver.deliveries[0].headers["webhook-signature"] == signature_of(secret, receiver.deliveries[0])
        payload = {"target": name, "event": "ticket.opened", "data": {"title": "Leak"}}
        proposal = propose(acme, who, "webhook.call", payload, source="crm:7")["id"]
        approved = ok(acme.post(f"/v1/proposals/{proposal}/approve"))
        assert (approved["state"], approved["result"]["status"]) == ("executed", 200)
        delivery = receiver.deliveries[1]
        assert delivery.headers["webhook-id"] == proposal
        assert delivery.headers["webhook-signature"] == signature_of(secret, delivery)
        assert delivery.json["data"] == {"title": "Leak"}
        later = propose(acme, who, "webhook.call", payload)["id"]
        assert ok(acme.post(f"/v1/proposals/{later}/approve", json={"undo_seconds": 1}))["state"] == "approved"
        eventually(lambda: ok(acme.get(f"/v1/proposals/{later}"))["state"] == "executed", within=60)
        assert [one.headers["webhook-id"] for one in receiver.deliveries[1:]] == [proposal, later]
        memories = ok(acme.get(f"/v1/memories?subject_id={who}"))["data"]
        assert {one["provenance"]["ref"] for one in memories} <= {proposal, later}
        assert memories
        assert globex.get(f"/v1/write-targets/{name}").status_code == 404
        assert globex.get(f"/v1/proposals/{proposal}").status_code == 404
        refused = acme.post(f"/v1/proposals/{proposal}/compensate")
        assert (refused.status_code, refused.json()["code"]) == (409, "not_reversible")
    finally:
        assert acme.delete(f"/v1/write-targets/{name}").status_code == 204


def test_calendar__propose_look_approve_compensate__is_in_the_calendar_and_out_again(
    acme: httpx.Client, radicale: CalendarServer, who: str, name: str
) -> None:
    given = {"kind": "caldav", "url": radicale.url, "username": radicale.user, "password": radicale.password}
    shown = ok(acme.put(f"/v1/write-targets/{name}", json=given))
    try:
        assert radicale.password not in str(shown)
        assert ok(acme.post(f"/v1/write-targets/{name}/test"))["ok"] is True
        moved = acme.put(f"/v1/write-targets/{name}", json={**given, "url": radicale.url + "x/", "password": None})
        assert (moved.status_code, moved.json()["errors"][0]["pointer"]) == (422, "#/password")
        payload = {"title": "STAT210 Quiz", "when": "2026-11-07T10:00:00-08:00", "target": name}
        proposal = propose(acme, who, "calendar.create", payload)["id"]
        approved = ok(acme.post(f"/v1/proposals/{proposal}/approve"))
        assert (approved["state"], approved["error"]) == ("executed", None)
        assert ["STAT210" in event for event in radicale.events()] == [True]
        second = propose(acme, who, "calendar.create", {**payload, "title": "Dentist"})["id"]
        diff = ok(acme.get(f"/v1/proposals/{second}"))["diff"]
        assert [one["title"] for one in diff["overlaps"]] == ["STAT210 Quiz"]
        undone = ok(acme.post(f"/v1/proposals/{proposal}/compensate", json={"comment": "moved"}))
        assert (undone["state"], undone["compensation"]["state"]) == ("executed", "done")
        assert radicale.events() == []
        assert ok(acme.get(f"/v1/memories?subject_id={who}"))["data"] == []
        events = ok(acme.get("/v1/events?type=write.compensated&limit=20"))["data"]
        assert proposal in str(events)
    finally:
        acme.delete(f"/v1/write-targets/{name}")


def test_target__address_inside_or_field_of_the_other_kind__is_refused_and_nothing_is_kept(
    acme: httpx.Client, name: str
) -> None:
    for body, code in (
        ({"kind": "webhook", "url": "http://10.0.0.1/"}, "egress_refused"),
        ({"kind": "webhook", "url": "http://127.0.0.1/", "password": "x"}, "invalid_write_target"),
        ({"kind": "webhook", "url": "http://127.0.0.1/", "secret": "short"}, "invalid_write_target"),
        ({"kind": "caldav", "url": "http://127.0.0.1/", "username": "ana"}, "invalid_write_target"),
    ):
        refused = acme.put(f"/v1/write-targets/{name}", json=body)
        assert (refused.status_code, refused.json()["code"]) == (422, code)
        assert acme.get(f"/v1/write-targets/{name}").status_code == 404


def test_propose__payload_that_does_not_fit__is_422_with_pointers_and_no_proposal(acme: httpx.Client, who: str) -> None:
    bad = {"type": "email.draft", "payload": {"to": ["nobody"], "subject": "x"}, "subject_id": who}
    refused = acme.post("/v1/proposals", json=bad)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_proposal")
    assert {one["pointer"] for one in refused.json()["errors"]} == {"#/payload", "#/payload/to/0"}
    assert ok(acme.get(f"/v1/proposals?subject_id={who}"))["data"] == []


def test_draft__approved__downloads_as_a_message(acme: httpx.Client, globex: httpx.Client, who: str) -> None:
    payload = {"to": ["sam@example.org"], "subject": "Hello", "body": "Soon."}
    proposal = propose(acme, who, "email.draft", payload)["id"]
    assert acme.get(f"/v1/proposals/{proposal}/draft.eml").status_code == 404
    ok(acme.post(f"/v1/proposals/{proposal}/approve"))
    answer = acme.get(f"/v1/proposals/{proposal}/draft.eml")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "message/rfc822")
    assert email.message_from_bytes(answer.content, policy=default)["Subject"] == "Hello"
    assert globex.get(f"/v1/proposals/{proposal}/draft.eml").status_code == 404
    ok(acme.post(f"/v1/proposals/{proposal}/compensate"))
    assert acme.get(f"/v1/proposals/{proposal}/draft.eml").status_code == 410
    assert "eml" not in ok(acme.get(f"/v1/proposals/{proposal}"))["result"]


def test_decide__many_at_once__answers_each_by_itself(acme: httpx.Client, globex: httpx.Client, who: str) -> None:
    made = [propose(acme, who, "memory.upsert", {"text": f"Fact {n} of {who}"})["id"] for n in range(3)]
    foreign = propose(globex, who, "memory.upsert", {"text": "Elsewhere"})["id"]
    ok(acme.post(f"/v1/proposals/{made[1]}/reject"))
    body = {"ids": [*made, foreign, "prop_nonsense"], "decision": "approve", "comment": "all"}
    found = ok(acme.post("/v1/proposals/decide", json=body))
    assert (found["decided"], found["refused"], found["more"]) == (2, 3, False)
    codes = [one["error"] and (one["error"]["status"], one["error"]["code"]) for one in found["data"]]
    assert codes[0] is None
    assert codes[1:] == [(409, "already_decided"), None, (404, "proposal_not_found"), (404, "not_found")]
    assert found["data"][1]["error"]["verdict"] == "rejected"
    eventually(
        lambda: [ok(acme.get(f"/v1/proposals/{one}"))["state"] for one in made] == ["executed", "rejected", "executed"],
        within=60,
    )
    assert ok(globex.get(f"/v1/proposals/{foreign}"))["state"] == "pending"
    for _ in range(2):
        propose(acme, who, "memory.upsert", {"text": f"More of {who}"})
    rest = ok(acme.post("/v1/proposals/decide", json={"filter": {"subject_id": who}, "decision": "reject"}))
    assert (rest["decided"], rest["refused"]) == (2, 0)
    assert acme.post("/v1/proposals/decide", json={"decision": "reject"}).status_code == 422
    too_many = {"ids": [made[0]] * 101, "decision": "reject"}
    assert acme.post("/v1/proposals/decide", json=too_many).status_code == 422


def test_types__listed_and_settled__hold_for_new_proposals(acme: httpx.Client, globex: httpx.Client, who: str) -> None:
    client, letter = globex, {"to": ["sam@example.org"], "subject": "x", "body": "y"}
    try:
        listed = {one["type"]: one for one in ok(client.get("/v1/proposal-types"))["data"]}
        assert {"memory.upsert", "memory.forget", "webhook.call", "calendar.create", "email.draft"} <= set(listed)
        assert listed["webhook.call"]["external"] is True
        assert listed["webhook.call"]["reversible"] is False
        assert listed["memory.forget"]["payload_schema"]["required"] == ["memory_id"]
        settled = ok(client.put("/v1/proposal-types/email.draft", json={"quorum": 2, "expires_in_s": 3600}))
        assert (settled["quorum"], settled["expires_in_s"]) == (2, 3600)
        proposal = propose(client, who, "email.draft", letter)
        voted = ok(client.post(f"/v1/proposals/{proposal['id']}/approve", json={"comment": "one"}))
        assert (voted["state"], voted["quorum"], len(voted["approvals"])) == ("pending", 2, 1)
        again = ok(client.post(f"/v1/proposals/{proposal['id']}/approve"))
        assert (again["state"], len(again["approvals"])) == ("pending", 1)
        assert client.put("/v1/proposal-types/no.such", json={}).status_code == 404
        assert propose(acme, who, "email.draft", letter)["quorum"] == 1
    finally:
        ok(client.put("/v1/proposal-types/email.draft", json={}))


def test_rule__in_force__approves_what_a_chat_proposes_and_not_what_an_application_does(
    acme: httpx.Client, globex: httpx.Client, who: str
) -> None:
    rule = {"name": "tastes", "types": ["memory.upsert"], "min_confidence": 0.5, "per_subject_per_day": 1}
    made = ok(acme.post("/v1/proposal-rules", json=rule), 201)
    try:
        by_rule, waiting = (wish(acme, who, f"Remember that I like {what}.") for what in ("oolong", "sencha"))
        elsewhere = wish(globex, who, "Remember that I like oolong.")
        asked = propose(acme, who, "memory.upsert", {"text": "Likes figs"})["id"]
        done = ok(acme.get(f"/v1/proposals/{by_rule}"))
        assert (done["state"], done["rule_id"], done["decided_by"]) == ("executed", made["id"], f"rule:{made['id']}")
        assert [ok(acme.get(f"/v1/proposals/{one}"))["state"] for one in (waiting, asked)] == ["pending"] * 2
        assert ok(globex.get(f"/v1/proposals/{elsewhere}"))["state"] == "pending"
        known = [ok(one.get(f"/v1/memories?subject_id={who}"))["data"] for one in (acme, globex)]
        assert [["oolong" in one["text"] for one in found] for found in known] == [[True], []]
    finally:
        assert acme.delete(f"/v1/proposal-rules/{made['id']}").status_code == 204


def test_retry__what_failed__is_carried_out_once_its_reason_is_gone(
    acme: httpx.Client, globex: httpx.Client, receiver: Receiver, who: str, name: str
) -> None:
    proposal = propose(acme, who, "webhook.call", {"target": name, "data": {"n": 1}})["id"]
    path = f"/v1/proposals/{proposal}"
    assert acme.post(f"{path}/retry").json()["code"] == "proposal_not_failed"
    failed = ok(acme.post(f"{path}/approve"))
    assert (failed["state"], failed["error"]["code"]) == ("failed", "write_target_missing")
    assert globex.post(f"{path}/retry").status_code == 404
    ok(acme.put(f"/v1/write-targets/{name}", json={"kind": "webhook", "url": receiver.url}))
    try:
        again = ok(acme.post(f"{path}/retry"))
        assert (again["state"], again["error"], again["result"]["status"]) == ("executed", None, 200)
        assert [one.headers["webhook-id"] for one in receiver.deliveries] == [proposal]
    finally:
        assert acme.delete(f"/v1/write-targets/{name}").status_code == 204


def test_target__fragment__is_refused_also_where_the_name_does_not_resolve(acme: httpx.Client, name: str) -> None:
    body = {"kind": "webhook", "url": "https://no-such-host.invalid/#f"}
    refused = acme.put(f"/v1/write-targets/{name}", json=body)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "#/url")
    assert acme.get(f"/v1/write-targets/{name}").status_code == 404


def test_list__since_and_until__are_about_the_proposing(acme: httpx.Client, who: str) -> None:
    first, second = (propose(acme, who, "memory.upsert", {"text": text}) for text in ("one", "two"))

    def listed(**times: str) -> list[str]:
        found = ok(acme.get("/v1/proposals", params={"subject_id": who, **times}))
        return [one["id"] for one in found["data"]]

    assert listed(since=second["created_at"]) == [second["id"]]
    assert listed(until=second["created_at"]) == [first["id"]]


def test_rules__over_http__are_kept_simulated_and_not_a_narrow_keys_to_set(acme: httpx.Client, who: str) -> None:
    rule = {"name": "sure", "types": ["memory.*"], "min_confidence": 0.5, "per_subject_per_day": 3}
    for verdict in ("approve", "reject"):
        proposal = wish(acme, who, f"Remember that I like the word {verdict}ing.")
        ok(acme.post(f"/v1/proposals/{proposal}/{verdict}"))
    propose(acme, who, "memory.upsert", {"text": "An application says so."})
    made = ok(acme.post("/v1/proposal-rules", json=rule), 201)
    try:
        assert ok(acme.put(f"/v1/proposal-rules/{made['id']}", json={**rule, "enabled": False}))["enabled"] is False
        key = ok(acme.post("/v1/keys", json={"name": "narrow", "subject_ids": [who]}), 201)
        with httpx.Client(base_url=acme.base_url, headers={"authorization": f"Bearer {key['secret']}"}) as narrow:
            for method, path, body in (
                ("POST", "/v1/proposal-rules", rule),
                ("PUT", f"/v1/proposal-rules/{made['id']}", rule),
                ("DELETE", f"/v1/proposal-rules/{made['id']}", None),
                ("PUT", "/v1/proposal-types/memory.upsert", {"quorum": 1}),
                ("PUT", "/v1/write-targets/mine", {"kind": "webhook", "url": "http://127.0.0.1/"}),
            ):
                refused = narrow.request(method, path, json=body)
                assert (refused.status_code, refused.json()["code"]) == (403, "whole_organization_only"), path
            foreign = {"type": "memory.upsert", "payload": {"text": "x"}, "subject_id": "somebody"}
            assert narrow.post("/v1/proposals", json=foreign).json()["code"] == "subject_not_allowed"
            found = ok(narrow.post("/v1/proposal-rules/simulate", json={"rule": rule, "days": 7}))
            assert (found["considered"], found["would_approve"], found["agreed"], found["agreement"]) == (2, 2, 1, 0.5)
            assert [one["proposal_id"] for one in found["disagreements"]] == [proposal]
        assert ok(acme.get(f"/v1/proposal-rules/{made['id']}"))["enabled"] is False
    finally:
        assert acme.delete(f"/v1/proposal-rules/{made['id']}").status_code == 204
    assert acme.get(f"/v1/proposal-rules/{made['id']}").status_code == 404
