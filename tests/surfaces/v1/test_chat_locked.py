"""What locks do to a turn wherever its words go: the prompt, tool calls, citations, proposals, the audit; two
organizations."""

from __future__ import annotations

import json
import secrets
from typing import Any

import httpx
import pytest

from gateway.knowledge.personas.defaults import default_cartridge
from tests.harness import Gateway, eventually
from tests.surfaces import clients
from tests.surfaces.v1.test_chat import body, events_of
from tests.surfaces.v1.test_chat_governed import REDIRECT, overlay, stages

acme, globex = clients.acme, clients.globex
__all__ = ["overlay"]

ASK = "Ask one clarifying question when the request is ambiguous"
KEY = "sk-proj-" + "A1b2C3d4" * 4
ARGUMENTS = {"to": "ada@example.com", "call": "+49 30 901820", "card": 4111111111111111, "note": f"key {KEY}", "n": 3}
MASKED = {"to": "[email]", "call": "[phone]", "card": "[card]", "note": "key [secret]", "n": 3}
TOOL = {"type": "function", "function": {"name": "send", "parameters": {"type": "object"}}}
MERGER = {"blocklist": [{"name": "m", "phrases": ["the merger"], "output": "block"}]}
STREAM = pytest.mark.parametrize("stream", [False, True], ids=["buffered", "streamed"])


@pytest.fixture
def subject() -> str:
    return f"locked-{secrets.token_hex(4)}"


def calling(arguments: dict[str, Any], **more: Any) -> dict[str, Any]:
    """What makes the sandbox call the caller's tool."""
    called = json.dumps({"name": "send", "arguments": arguments})
    return {"tools": [TOOL], "metadata": {"sandbox.tool_call": called, **more}}


def called(answer: httpx.Response, *, stream: bool) -> list[str]:
    """The arguments of the answer's calls, put together as a client does."""
    if not stream:
        calls = answer.raise_for_status().json()["choices"][0]["message"].get("tool_calls", [])
        return [one["function"]["arguments"] for one in calls]
    made: dict[int, str] = {}
    for name, _, data in events_of(answer):
        for part in data["delta"].get("tool_calls", []) if name == "content.delta" else []:
            made[part["index"]] = made.get(part["index"], "") + part["function"].get("arguments", "")
    return list(made.values())


def system(upstream: Any) -> str:
    return str(upstream.calls()[-1]["body"]["messages"][0]["content"])


def test_prompt__rules_of_persona_and_policy__are_each_said_once_and_what_a_lock_beats_not_at_all(
    acme, globex, overlay, subject, upstream
):
    upstream.reset()
    name, greet = f"staged-{secrets.token_hex(4)}", "Greet in one short line"
    cartridge = {**default_cartridge("Acme"), "id": name, "stages": {"stranger": {"do": [greet], "dont": ["Pry"]}}}
    for client in (acme, globex):
        client.post("/v1/personas", json={"cartridge": cartridge}).raise_for_status()

    def prompt(client: httpx.Client) -> str:
        asked = body(subject, "Hi", model="openai/fake:normal", persona_id=name)
        client.post("/v1/chat", json=asked).raise_for_status()
        return system(upstream)

    before = prompt(acme)
    assert [before.count(rule) for rule in (ASK, greet, "Pry")] == [1, 1, 1]
    assert "Rules of your organization" not in before
    shown = acme.get("/v1/policies/effective", params={"persona": name, "subject": subject}).raise_for_status().json()
    assert (greet in shown["do"], "Pry" in shown["dont"]) == (True, True)
    overlay(f"user/{subject}", {"dont": [ASK, greet.upper()], "do": ["Pry", "Say hello"]})
    bound = prompt(acme)
    always, never = bound.split("## Rules of your organization")[1].split("Never:")
    assert "Say hello" in always
    assert ("Pry" in always, "Now never:" in bound) == (True, False)  # a locked do is not argued away from below
    assert (bound.count(ASK), never.count(ASK), bound.casefold().count(greet.casefold())) == (1, 1, 1)
    assert prompt(acme) == bound
    assert prompt(globex).count(ASK) == 1
    assert "Rules of your organization" not in system(upstream)


@STREAM
def test_tool_call__under_locks__is_masked_as_json_and_guarded(acme, globex, overlay, subject, stream):
    asked = body(subject, "Send it", stream=stream, **calling(ARGUMENTS))
    overlay(f"user/{subject}", {"redact_mode": "strict"})
    answer = acme.post("/v1/chat", json=asked)
    assert [json.loads(one) for one in called(answer, stream=stream)] == [MASKED]
    assert not [raw for raw in ("ada@", "901820", "4111111", KEY) if raw in answer.text]
    assert called(globex.post("/v1/chat", json={**asked, "redact_mode": "off"}), stream=stream) == [
        json.dumps(ARGUMENTS)
    ]
    overlay(f"user/{subject}", {"guardrails": MERGER})
    blocked = acme.post("/v1/chat", json=body(subject, "Go", stream=stream, **calling({"about": "The merger"})))
    assert "guardrail_blocked" in blocked.text
    assert "The merger" not in blocked.text
    assert blocked.status_code == (200 if stream else 403)
    proposed = json.dumps({"name": "ikiro_memory_upsert", "arguments": {"text": "The merger is on.", "confidence": 1}})
    asked = body(subject, "So?", stream=stream, metadata={"sandbox.tool_call": proposed})
    assert "guardrail_blocked" in acme.post("/v1/chat", json=asked).text
    assert acme.get("/v1/proposals", params={"subject_id": subject}).json()["data"] == []
    assert "The merger" in globex.post("/v1/chat", json=asked).text


@STREAM
def test_redirect__after_the_model__leaves_no_call_to_carry_out(acme, globex, subject, stream):
    asked = body(
        subject, "What now?", stream=stream, **calling(ARGUMENTS, **{"sandbox.reply": "My legal opinion: sue."})
    )
    answer = acme.post("/v1/chat", json=asked)
    assert called(answer, stream=stream) == []
    assert REDIRECT in answer.text
    whole = events_of(answer)[-1][2] if stream else answer.json()
    assert whole["choices"][0]["finish_reason"] == "stop"
    assert "tool_calls" not in whole["choices"][0]["message"]
    fine = body(subject, "What now?", stream=stream, **calling({"n": 1}, **{"sandbox.reply": "All fine."}))
    assert called(globex.post("/v1/chat", json=fine), stream=stream) == ['{"n": 1}']


def test_citation__whose_snippet_is_cut__is_masked_first(acme, globex, overlay, subject):
    overlay(f"user/{subject}", {"redact_mode": "strict"})
    text = "The piano lesson is on Tuesday. " + "x" * 190 + " by ada.lovelace@example.com or bob"
    for client in (acme, globex):
        source = {"source": "gmail", "ref": "ada@example.com"}
        made = {"subject_id": subject, "text": text, "provenance": source}
        client.post("/v1/memories", json=made).raise_for_status()
    shown = acme.post("/v1/chat", json=body(subject, "When is the piano lesson?")).raise_for_status().json()
    (citation,) = shown["citations"]
    assert citation["snippet"].endswith("by [email] or bob")
    assert "ada" not in json.dumps(shown["citations"])
    assert "ada" not in acme.post("/v1/chat", json=body(subject, "When is the piano lesson?", stream=True)).text
    (other,) = globex.post("/v1/chat", json=body(subject, "When is the piano lesson?")).json()["citations"]
    assert "ada" in other["uri"]


def test_proposals__under_strict__hold_no_data_in_numbers_keys_or_what_a_group_refuses(acme, globex, overlay, subject):
    overlay(f"user/{subject}", {"redact_mode": "strict"})
    value = {"ada@example.com": 4111111111111111, "deep": [49301234567]}
    arguments = {"text": "Write to ada@example.com", "slot": "contact", "value": value, "confidence": 0.9}
    call = json.dumps({"name": "ikiro_memory_upsert", "arguments": arguments})
    asked = body(subject, "So?", metadata={"sandbox.tool_call": call})
    direct = acme.post("/v1/chat", json=asked).raise_for_status().json()
    (proposal,) = direct["proposedWrites"]
    assert (proposal["payload"]["text"], proposal["payload"]["value"]) == (
        "Write to [email]", {"[email]": "[card]", "deep": ["[phone]"]},
    )  # fmt: skip
    kept = acme.get(f"/v1/proposals/{proposal['proposal_id']}").raise_for_status().text
    group = acme.post("/v1/chat", json={**asked, "persona_mode": "group"}).raise_for_status()
    assert group.json()["rejectedWrites"][0]["reason"] == "not_in_group"
    assert not [raw for raw in ("ada@", "4111111", "49301234567") if raw in kept + group.text + json.dumps(direct)]
    (other,) = globex.post("/v1/chat", json=asked).raise_for_status().json()["proposedWrites"]
    assert "ada@example.com" in other["payload"]["value"]


@STREAM
def test_refusal__by_a_locked_rule__names_it_in_the_record_and_the_audit(
    gateway: Gateway, acme, globex, overlay, subject, upstream, stream
):
    upstream.reset()
    upstream.script("normal", text="All_about_the_merger_now")
    denied = {"denied_models": ["openai/denied*"], "denied_tools": ["send"]}
    asks_for_data = {"pii": {"email": {"input": "block"}}}
    overlay(f"user/{subject}", {**denied, "guardrails": {**MERGER, **asks_for_data}, "dont": ["Swear"]})
    cases = {
        "denied_models": body(subject, "Hi", model="openai/denied-1"),
        "denied_tools": body(subject, "Hi", tools=[TOOL]),
        "guardrails.pii.email.input": body(subject, "I am ada@example.com"),
        "guardrails.blocklist.m.output": body(subject, "Hi", model="openai/scripted"),
    }
    for field, asked in cases.items():
        answer = acme.post("/v1/chat", json={**asked, "stream": stream})
        line = stages(acme, answer)["answer"]
        assert (line["verdict"], line["policy"]["field"], line["policy"]["locked_by"]) == (
            "refused", field, f"user:{subject}",
        ), line  # fmt: skip
        assert ("finding" in line) == field.startswith("guardrails.")
        assert "ada@" not in json.dumps(line)

    def held() -> dict[str, str] | None:
        asked = {"subject_id": subject, "action": "policy.enforced"}
        rows = acme.get("/v1/audit", params=asked).raise_for_status().json()["data"]
        assert {row["persona_id"] for row in rows} <= {"brand-default"}
        found = {line["field"]: line["how"] for row in rows for line in row["detail"]["enforced"]}
        return found if set(cases) <= set(found) else None

    found = eventually(held, within=20)
    assert {found[field] for field in cases} == {"refused"}
    assert found["dont"] == "told"
    assert globex.get("/v1/audit", params={"subject_id": subject}).json()["data"] == []
    upstream.reset()


def test_request__under_locks__has_no_field_that_policy_does_not_read(acme, globex, overlay, subject, upstream):
    mail, model = "ada@example.com", "openai/fake:normal"
    function = {"name": "send", "description": f"Sends to {mail}", "parameters": {"type": "object"}}
    called = {"id": "c1", "type": "function", "function": {"name": "send", "arguments": json.dumps({mail: 1})}}
    schema = {"name": "s", "schema": {"type": "object", "description": mail, "properties": {"a": {"title": mail}}}}
    asked = {
        "model": model,
        "messages": [
            {"role": "user", "content": "Hi", "name": mail},
            {"role": "assistant", "content": None, "tool_calls": [called], "reasoning_content": f"It is {mail}"},
            {"role": "tool", "tool_call_id": "c1", "content": "done"},
            {"role": "user", "content": "Go on"},
        ],
        "tools": [{"type": "function", "function": function}],
        "response_format": {"type": "json_schema", "json_schema": schema},
        "prediction": {"type": "content", "content": f"Dear {mail}"},
        "stop": [mail],
    }
    headers = {"x-persona-id": "brand-default", "x-subject-id": subject}

    def sent(client: httpx.Client) -> dict[str, Any]:
        upstream.reset()
        client.post("/v1/chat/completions", json=asked, headers=headers).raise_for_status()
        return dict(upstream.calls()[-1]["body"])

    overlay(f"user/{subject}", {"redact_mode": "strict"})
    masked, raw = sent(acme), sent(globex)
    assert mail not in json.dumps(masked)
    assert (masked["stop"], masked["prediction"]["content"]) == (["[email]"], "Dear [email]")
    assert masked["tools"][0]["function"] == {**function, "description": "Sends to [email]"}
    assert masked["response_format"]["json_schema"]["schema"]["properties"] == {"a": {"title": "[email]"}}
    assert json.dumps(raw).count(mail) == json.dumps(masked).count("[email]") == 8
    overlay(f"user/{subject}", {"guardrails": {"pii": {"email": {"input": "block"}}}})
    upstream.reset()
    for field in ("tools", "response_format", "prediction", "stop"):
        one = {"model": model, "messages": [{"role": "user", "content": "Hi"}], field: asked[field]}
        assert acme.post("/v1/chat/completions", json=one, headers=headers).status_code == 403, field
    named = {"model": model, "messages": [{"role": "user", "content": "Hi"}]}
    named["tools"] = [{"type": "function", "function": {"name": "f", "parameters": {"enum": [mail]}}}]
    assert acme.post("/v1/chat/completions", json=named, headers=headers).status_code == 403
    assert upstream.calls() == []
