"""``POST /v1/chat`` as a client sees it: buffered, streamed, with proposals, citations, conversations; two
organizations."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.harness import Gateway, Org, eventually


def body(subject: str, text: str, **more: Any) -> dict[str, Any]:
    return {
        "model": "ikiro/sandbox",
        "persona_id": "brand-default",
        "subject_id": subject,
        "messages": [{"role": "user", "content": text}],
        **more,
    }


def remember(org: Org, subject: str, text: str, **provenance: str) -> str:
    with org.client() as client:
        source = {"source": "gmail", "ref": "msg_1", **provenance}
        made = client.post("/v1/memories", json={"subject_id": subject, "text": text, "provenance": source})
        assert made.status_code == 201, made.text
        return made.json()["id"]


def events_of(answer: httpx.Response) -> list[tuple[str, str, dict[str, Any]]]:
    """``(event, id, data)`` of every frame that is not a comment."""
    found = []
    for block in answer.text.strip().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if lines:
            found.append((lines["event"], lines["id"], json.loads(lines["data"])))
    return found


@pytest.fixture
def subject() -> str:
    return f"subject-{uuid4().hex[:12]}"


def test_chat__buffered__answers_from_memory_with_a_citation_that_resolves(gateway: Gateway, subject: str) -> None:
    memory_id = remember(gateway.acme, subject, "The piano lesson is on Tuesday at five.", ref="msg_77")
    with gateway.acme.client() as client:
        answer = client.post("/v1/chat", json=body(subject, "When is the piano lesson?"))
        assert answer.status_code == 200, answer.text
        whole = answer.json()
        assert whole["object"] == "chat"
        assert whole["id"].startswith("chat_")
        assert (whole["model"], whole["persona_id"], whole["persona_version"]) == ("ikiro/sandbox", "brand-default", 1)
        message = whole["choices"][0]["message"]
        assert message["role"] == "assistant"
        assert "Tuesday at five" in message["content"]
        assert "[m1]" not in message["content"]
        assert whole["citations"] == [
            {
                "factId": memory_id,
                "uri": "gmail://msg_77",
                "confidence": 1.0,
                "snippet": whole["citations"][0]["snippet"],
            }
        ]
        assert client.get(f"/v1/memories/{memory_id}").json()["provenance"]["ref"] == "msg_77"
        usage = whole["usage"]
        assert usage["memory_recalls"] == 1
        assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"] > 0
        assert whole["request_id"] == answer.headers["x-request-id"]
        assert int(answer.headers["ratelimit-remaining"]) < int(answer.headers["ratelimit-limit"])


def test_chat__same_subject_id_in_another_organization__recalls_nothing(gateway: Gateway, subject: str) -> None:
    remember(gateway.acme, subject, "The piano lesson is on Tuesday at five.")
    with gateway.globex.client() as client:
        whole = client.post("/v1/chat", json=body(subject, "When is the piano lesson?")).json()
        assert whole["usage"]["memory_recalls"] == 0
        assert whole["citations"] == []
        assert "Tuesday" not in json.dumps(whole)


def test_chat__streamed__says_the_same_in_events(gateway: Gateway, subject: str) -> None:
    remember(gateway.acme, subject, "The piano lesson is on Tuesday at five.")
    with gateway.acme.client() as client:
        answer = client.post("/v1/chat", json=body(subject, "When is the piano lesson?", stream=True))
        assert answer.headers["content-type"].startswith("text/event-stream")
        events = events_of(answer)
    names = [name for name, _, _ in events]
    assert names[:2] == ["message.start", "memory.recalled"]
    assert names[-2:] == ["usage", "message.done"]
    assert set(names) <= {
        "message.start",
        "memory.recalled",
        "content.delta",
        "citation",
        "proposal.created",
        "usage",
        "message.done",
    }
    assert [number for _, number, _ in events] == [str(number) for number in range(1, len(events) + 1)]
    done = events[-1][2]
    text = "".join(data["delta"]["content"] for name, _, data in events if name == "content.delta")
    assert text == done["choices"][0]["message"]["content"]
    assert [data for name, _, data in events if name == "citation"] == done["citations"] != []
    assert events[0][2]["id"] == done["id"]


def test_chat__remember_that__proposes_and_approval_makes_it_a_memory_once(gateway: Gateway, subject: str) -> None:
    with gateway.acme.client() as client, gateway.globex.client() as other:
        whole = client.post("/v1/chat", json=body(subject, "Please remember that my cat is called Minka.")).json()
        (proposed,) = whole["proposedWrites"]
        assert proposed["type"] == "memory.upsert"
        assert "Minka" in proposed["payload"]["text"]
        assert set(proposed["provenance"]) >= {"from", "confidence"}
        assert client.get(f"/v1/memories?subject_id={subject}").json()["data"] == []
        path = f"/v1/proposals/{proposed['proposal_id']}"
        assert other.post(f"{path}/approve", json={}).status_code == 404
        assert client.get(path).json()["state"] == "pending"
        approved = client.post(f"{path}/approve", json={"comment": "yes"})
        assert approved.status_code == 200, approved.text
        assert approved.json()["state"] == "executed"
        assert client.post(f"{path}/approve", json={}).json()["state"] == "executed"
        assert client.post(f"{path}/reject", json={}).status_code == 409
        (memory,) = client.get(f"/v1/memories?subject_id={subject}").json()["data"]
        assert "Minka" in memory["text"]
        recalled = client.post("/v1/chat", json=body(subject, "What is my cat called?")).json()
        assert recalled["citations"][0]["factId"] == memory["id"]


def test_chat__a_write_without_a_target__fails_by_name_and_can_be_retried(gateway: Gateway, subject: str) -> None:
    with gateway.acme.client() as client:
        whole = client.post("/v1/chat", json=body(subject, "Schedule a call with Sam on Friday at 10")).json()
        (proposed,) = whole["proposedWrites"]
        assert proposed["type"] == "calendar.create"
        path = f"/v1/proposals/{proposed['proposal_id']}"
        failed = client.post(f"{path}/approve", json={}).json()
        assert (failed["state"], failed["error"]["code"]) == ("failed", "write_target_missing")
        again = client.post(f"{path}/retry", json={}).json()
        assert (again["state"], again["error"]["code"]) == ("failed", "write_target_missing")
        emitted = [
            event for event in client.get("/v1/events?limit=200").json()["data"] if event["type"] == "write.failed"
        ]
        mine = [event for event in emitted if event["proposal_id"] == proposed["proposal_id"]]
        assert len(mine) == 2  # one for each attempt


def test_chat__conversation__keeps_its_persona_version(gateway: Gateway, subject: str) -> None:
    with gateway.acme.client() as client:
        persona = client.get("/v1/personas/brand-default").json()
        cartridge = {**persona["cartridge"], "id": f"pinned-{subject}"}
        assert client.post("/v1/personas", json={"cartridge": cartridge}).status_code == 201
        turn = body(subject, "hello", persona_id=cartridge["id"])
        first = client.post("/v1/chat", json=turn).json()
        changed = {**cartridge, "meta": {**cartridge["meta"], "version": "9.9.9"}}
        assert client.put(f"/v1/personas/{cartridge['id']}", json={"cartridge": changed}).status_code == 200
        again = client.post("/v1/chat", json={**turn, "conversation_id": first["conversation_id"]}).json()
        fresh = client.post("/v1/chat", json=turn).json()
        assert [one["persona_version"] for one in (first, again, fresh)] == [1, 1, 2]
        assert again["conversation_id"] == first["conversation_id"] != fresh["conversation_id"]
        stolen = client.post(
            "/v1/chat",
            json=body("someone-else", "hi", persona_id=cartridge["id"], conversation_id=first["conversation_id"]),
        )
        assert stolen.status_code == 404


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("case", ["split", "malformed", "parallel", "mixed"])
def test_chat__write_tools_in_fragments__become_proposals_and_are_never_shown(
    gateway: Gateway, subject: str, case: str, stream: bool
) -> None:
    own = {"type": "function", "function": {"name": "lookup", "parameters": {"type": "object", "properties": {}}}}
    turn = body(subject, "go", model=f"openai/fake:tools,case={case}", stream=stream, tools=[own])
    with gateway.acme.client() as client:
        answer = client.post("/v1/chat", json=turn)
    assert answer.status_code == 200, answer.text
    assert "ikiro_" not in answer.text
    whole = events_of(answer)[-1][2] if stream else answer.json()
    choice = whole["choices"][0]
    proposed = sorted(write["type"] for write in whole["proposedWrites"])
    expected = {
        "split": ["memory.upsert"],
        "malformed": [],
        "parallel": ["calendar.create", "memory.upsert"],
        "mixed": ["calendar.create", "memory.upsert"],
    }
    assert proposed == expected[case]
    if case == "mixed":
        (call,) = choice["message"]["tool_calls"]
        assert call["function"]["name"] == "lookup"
        assert json.loads(call["function"]["arguments"]) == {"city": "Berlin"}
        assert choice["finish_reason"] == "tool_calls"
    else:
        assert "tool_calls" not in choice["message"]
        assert choice["finish_reason"] == "stop"
    if case == "malformed":
        assert whole["rejectedWrites"][0]["reason"] == "malformed_json"


def test_chat__tool_results__reach_the_model_whole(gateway: Gateway, subject: str, upstream: Any) -> None:
    upstream.reset()
    call = {"id": "c1", "type": "function", "function": {"name": "lookup", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": "look it up"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "42"},
    ]
    with gateway.acme.client() as client:
        turn = {**body(subject, "", model="openai/fake:normal"), "messages": messages}
        assert client.post("/v1/chat", json=turn).status_code == 200
    sent = upstream.calls()[-1]["body"]["messages"]
    assert [one for one in sent if one["role"] != "system"] == messages


def test_chat__same_question_again__is_answered_from_the_recall_cache_until_something_changes(
    gateway: Gateway, subject: str
) -> None:
    remember(gateway.acme, subject, "The rowing club meets on Mondays.")
    with gateway.acme.client() as client:
        turn = body(subject, "When does the rowing club meet?")
        assert client.post("/v1/chat", json=turn).json()["usage"]["cache_hit"] is False
        # The memory's own vector may come between two turns, and is something that changed.
        eventually(lambda: client.post("/v1/chat", json=turn).json()["usage"]["cache_hit"], within=30)
        second = remember(gateway.acme, subject, "The rowing club moved to Tuesdays.")
        changed = client.post("/v1/chat", json=turn).json()
    assert changed["usage"] == {**changed["usage"], "cache_hit": False, "memory_recalls": 2}
    assert second in [one["factId"] for one in changed["citations"]]


def test_chat__strict_redaction__masks_answer_citation_and_prompt(
    gateway: Gateway, subject: str, upstream: Any
) -> None:
    remember(gateway.acme, subject, "Reach the tutor at tutor@example.org about the lesson.")
    upstream.reset()
    upstream.script("drip", text="Ask_tutor@example.org_[m1].")
    turn = body(subject, "How do I reach the tutor?", model="openai/scripted", redact_mode="strict", stream=True)
    with gateway.acme.client() as client:
        answer = client.post("/v1/chat", json=turn)
    assert "tutor@example.org" not in answer.text
    assert "".join(d["delta"]["content"] for n, _, d in events_of(answer) if n == "content.delta") == "Ask [email]. "
    assert "Reach the tutor at [email]" in answer.text  # the citation
    assert "Reach the tutor at [email]" in json.dumps(upstream.calls()[-1]["body"])
    assert "tutor@example.org" not in json.dumps(upstream.calls()[-1]["body"])
    upstream.reset()


def test_chat__prompt__keeps_its_stable_part_first(gateway: Gateway, subject: str, upstream: Any) -> None:
    remember(gateway.acme, subject, "Likes tulips in the window.")
    upstream.reset()
    with gateway.acme.client() as client:
        for text in ("What about tulips?", "And roses?"):
            assert client.post("/v1/chat", json=body(subject, text, model="openai/fake:normal")).status_code == 200
    first, second = (call["body"]["messages"] for call in upstream.calls()[-2:])
    assert first[0] == second[0]
    assert "Likes tulips" not in first[0]["content"]
    assert "Likes tulips" in first[-2]["content"]
    assert first[-1] == {"role": "user", "content": "What about tulips?"}
    headers = upstream.calls()[-1]["headers"]
    assert headers["authorization"] == "Bearer sk-upstream"
    assert gateway.acme.api_key not in json.dumps(headers)


def test_request__after_a_chat__tells_what_was_decided_and_what_it_cost(gateway: Gateway, subject: str) -> None:
    memory_id = remember(gateway.acme, subject, "The harbour tour starts at noon.")
    with gateway.acme.client() as client, gateway.globex.client() as other:
        request_id = client.post("/v1/chat", json=body(subject, "When is the harbour tour?")).json()["request_id"]
        at_once = client.get(f"/v1/requests/{request_id}")
        assert at_once.status_code == 200, at_once.text
        row = eventually(lambda: client.get(f"/v1/requests/{request_id}").json())
        assert (row["status"], row["state"], row["surface"], row["model"]) == (200, "settled", "v1", "ikiro/sandbox")
        assert row["provider_cost_micros"] == row["markup_micros"] == row["charged_micros"] == 0
        stages = {line["stage"]: line for line in row["decisions"]}
        assert set(stages) >= {"auth", "limits", "persona", "policy", "recall", "route", "writes", "price"}
        assert stages["recall"]["memories"][0]["id"] == memory_id
        assert "harbour" not in json.dumps(row)
        assert other.get(f"/v1/requests/{request_id}").status_code == 404
