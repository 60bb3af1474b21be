"""What persona and policy do to a turn: redirects, groups, pins, guardrails, tools, transcripts; two organizations."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.surfaces import clients
from tests.surfaces.v1.test_chat import body, events_of, remember

acme, globex = clients.acme, clients.globex

REDIRECT = "I can't advise on that. A qualified professional can help you properly."
Overlay = Callable[[str, dict[str, Any]], None]


@pytest.fixture
def subject() -> str:
    return f"governed-{secrets.token_hex(4)}"


@pytest.fixture
def overlay(acme: httpx.Client) -> Iterator[Overlay]:
    """Puts locks on one target of acme, and takes them away again."""
    put: list[str] = []

    def locks(target: str, values: dict[str, Any]) -> None:
        put.append(target)
        acme.put(f"/v1/policies/overlays/{target}", json={"locks": values}).raise_for_status()

    yield locks
    for target in dict.fromkeys(put):
        acme.delete(f"/v1/policies/overlays/{target}").raise_for_status()


def said(answer: httpx.Response) -> str:
    return str(answer.raise_for_status().json()["choices"][0]["message"]["content"])


def stages(client: httpx.Client, answer: httpx.Response) -> dict[str, dict[str, Any]]:
    found = client.get(f"/v1/requests/{answer.headers['x-request-id']}").raise_for_status().json()["decisions"]
    return {one["stage"]: one for one in found}


def test_chat__about_what_the_persona_hands_over__is_redirected_without_asking_a_model(acme, globex, subject, upstream):
    upstream.reset()
    asked = body(subject, "I need some LEGAL help, what should I do?", model="openai/gpt-4o-mini")
    buffered, streamed = acme.post("/v1/chat", json=asked), acme.post("/v1/chat", json={**asked, "stream": True})
    assert said(buffered) == REDIRECT
    assert (
        "".join(data["delta"]["content"] for name, _, data in events_of(streamed) if name == "content.delta")
        == REDIRECT
    )
    assert upstream.calls() == []
    shown = acme.get(f"/v1/requests/{buffered.headers['x-request-id']}").json()
    assert (shown["charged_micros"], shown["status"]) == (0, 200)
    assert stages(acme, buffered)["safety"]["rule"] == "/safetyRedirects/0"
    assert (
        globex.post("/v1/chat", json={**asked, "messages": [{"role": "user", "content": "Legalize it"}]}).status_code
        == 200
    )
    assert len(upstream.calls()) == 1


@pytest.mark.parametrize("stream", [False, True], ids=["buffered", "streamed"])
def test_chat__whose_answer_goes_there__ends_with_the_redirect_instead(acme, globex, subject, upstream, stream):
    upstream.script("drip", text="Well_this_is_my_legal_opinion_sue_them_all")
    model = "openai/scripted"
    answer = acme.post("/v1/chat", json=body(subject, "What now?", model=model, stream=stream))
    if stream:
        events = events_of(answer)
        text = "".join(data["delta"]["content"] for name, _, data in events if name == "content.delta")
        assert text.endswith(REDIRECT)
        assert events[-1][0] == "message.done"
    else:
        text = said(answer)
        assert text == REDIRECT
    assert "legal" not in text
    assert "sue" not in text
    assert stages(acme, answer)["safety"]["after"] == "model"
    upstream.script("normal", text="All_fine")
    assert said(globex.post("/v1/chat", json=body(subject, "Hi", model="openai/scripted"))).strip() == "All fine"
    upstream.reset()


def test_chat__in_a_group__recalls_nothing_of_one_person_and_proposes_nothing_about_them(
    acme, globex, subject, upstream
):
    upstream.reset()
    remember_with(acme, subject, "The surprise party for Kim is on Sunday.")
    asked = body(subject, "When is the party?", model="openai/fake:tools,case=text")
    private = {"subject_id": subject, "text": "The party is a secret.", "provenance": {"source": "org_kb"}}
    acme.post("/v1/memories", json=private).raise_for_status()
    group = acme.post("/v1/chat", json={**asked, "persona_mode": "group"}).raise_for_status().json()
    assert (group["usage"]["memory_recalls"], group["proposedWrites"]) == (0, [])
    assert {one["reason"] for one in group["rejectedWrites"]} == {"not_in_group"}
    direct = acme.post("/v1/chat", json=asked).raise_for_status().json()
    assert direct["usage"]["memory_recalls"] == 2
    prompts = ["".join(one["content"] or "" for one in call["body"]["messages"]) for call in upstream.calls()]
    assert ["surprise party" in one for one in prompts] == [False, True]
    assert ["Several people read this conversation" in one for one in prompts] == [True, False]
    # What was said in a group is in no transcript.
    assert acme.get(f"/v1/conversations/{group['conversation_id']}").json()["turns"] in ([], 0)
    assert acme.post("/v1/chat", json={**asked, "persona_mode": "crowd"}).status_code == 422
    assert globex.post("/v1/chat", json=asked).json()["usage"]["memory_recalls"] == 0


def remember_with(client: httpx.Client, subject: str, text: str) -> None:
    source = {"source": "chat", "ref": secrets.token_hex(4)}
    client.post("/v1/memories", json={"subject_id": subject, "text": text, "provenance": source}).raise_for_status()


def test_chat__persona_with_its_version__is_pinned_and_must_not_disagree(acme, globex, subject):
    pinned = body(subject, "Hello", persona_id="brand-default@1")
    answer = acme.post("/v1/chat", json=pinned).raise_for_status().json()
    assert (answer["persona_id"], answer["persona_version"]) == ("brand-default", 1)
    headers = {"x-persona-id": "brand-default@1", "x-subject-id": subject}
    plain = {"model": "ikiro/sandbox", "messages": [{"role": "user", "content": "Hello"}]}
    assert acme.post("/v1/chat/completions", json=plain, headers=headers).json()["persona_version"] == 1
    assert acme.post("/v1/chat", json={**pinned, "persona_id": "brand-default@99"}).status_code == 404
    other = acme.post("/v1/chat", json={**pinned, "persona_version": 2})
    assert (other.status_code, other.json()["errors"][0]["pointer"]) == (422, "#/persona_version")
    assert globex.post("/v1/chat", json={**pinned, "persona_id": "@1"}).status_code == 422


def test_chat__guardrail_on_input__refuses_before_the_model_and_names_its_line(
    acme, globex, overlay, subject, upstream
):
    overlay(f"user/{subject}", {"guardrails": {"secrets": {"input": "block"}}})
    upstream.reset()
    secret = "My key is AKIAIOSFODNN7EXAMPLE and " + "ghp_" + "a1B2" * 9
    asked = body(subject, secret, model="openai/gpt-4o-mini")
    answer = acme.post("/v1/chat", json=asked)
    assert (answer.status_code, answer.json()["code"]) == (403, "guardrail_blocked")
    assert answer.json()["policy"]["set_by"] == f"user:{subject}"
    assert upstream.calls() == []
    assert acme.get("/v1/memories", params={"subject_id": subject}).json()["data"] == []
    assert globex.post("/v1/chat", json=asked).status_code == 200
    assert acme.post("/v1/chat", json={**asked, "subject_id": f"{subject}-other"}).status_code == 200


@pytest.mark.parametrize("stream", [False, True], ids=["buffered", "streamed"])
def test_chat__guardrail_on_output__masks_across_chunks_or_ends_with_its_error(
    acme, globex, overlay, subject, upstream, stream
):
    upstream.script("drip", text="Write_to_dana@example.com_today")
    model = "openai/scripted"
    overlay(f"user/{subject}", {"guardrails": {"pii": {"email": {"output": "mask"}}}})
    masked = acme.post("/v1/chat", json=body(subject, "How?", model=model, stream=stream))
    assert "dana@" not in masked.text
    assert stages(acme, masked)["guardrails"]["direction"] == "output"
    overlay(f"user/{subject}", {"guardrails": {"pii": {"email": {"output": "block"}}}})
    blocked = acme.post("/v1/chat", json=body(subject, "How?", model=model, stream=stream))
    assert "guardrail_blocked" in blocked.text
    assert "example.com" not in blocked.text
    assert blocked.status_code == (200 if stream else 403)
    assert "dana@example.com" in said(globex.post("/v1/chat", json=body(subject, "How?", model=model)))
    upstream.reset()


def test_chat__a_tool_that_policy_denies__is_refused_with_its_line(acme, globex, overlay, subject):
    overlay(f"user/{subject}", {"denied_tools": ["shell*"]})
    tool = {"type": "function", "function": {"name": "shell_run", "parameters": {"type": "object"}}}
    asked = body(subject, "Run it", tools=[tool])
    answer = acme.post("/v1/chat", json=asked)
    assert (answer.status_code, answer.json()["code"], answer.json()["policy"]["field"]) == (
        403, "policy_refused", "denied_tools",
    )  # fmt: skip
    assert globex.post("/v1/chat", json=asked).status_code == 200


def test_chat__answered__is_in_its_transcript_masked_and_brings_the_two_closer(acme, globex, subject):
    first = acme.post("/v1/chat", json=body(subject, "Mail me at dana@example.com", redact_mode="strict")).json()
    again = acme.post("/v1/chat", json=body(subject, "Hello again", conversation_id=first["conversation_id"])).json()
    transcript = acme.get(f"/v1/conversations/{first['conversation_id']}").raise_for_status().json()
    assert "dana@" not in str(transcript)
    assert str(transcript).count("Hello again") == 1
    assert again["choices"][0]["message"]["content"] in str(transcript)
    relation = acme.get(f"/v1/subjects/{subject}/relationships/brand-default").raise_for_status().json()
    assert (relation["stage"], relation["turns"]) == ("stranger", 2)
    assert globex.get(f"/v1/conversations/{first['conversation_id']}").status_code == 404


def test_chat__forgotten_things__are_not_proposed_again_by_the_model(gateway, acme, globex, subject):
    memory = remember(gateway.acme, subject, "The boat is called Ondine.", source="chat")
    acme.delete(f"/v1/memories/{memory}").raise_for_status()
    call = {"name": "ikiro_memory_upsert", "arguments": {"text": "The boat is called Ondine."}}

    asked = body(subject, "So?", metadata={"sandbox.tool_call": json.dumps(call)})
    answer = acme.post("/v1/chat", json=asked).raise_for_status().json()
    assert answer["proposedWrites"] == []
    assert answer["rejectedWrites"][0]["reason"] == "forgotten_before"
    assert globex.post("/v1/chat", json=asked).json()["proposedWrites"] != []


def test_chat__asked_to_remember_what_it_just_recalled__proposes_nothing(gateway, acme, globex, subject):
    remember(gateway.acme, subject, "I love jazz music.", source="chat")
    asked = body(subject, "Please remember that I love jazz music.")
    answer = acme.post("/v1/chat", json=asked).raise_for_status().json()
    assert (answer["proposedWrites"], answer["rejectedWrites"][0]["reason"]) == ([], "restates_memory")
    assert acme.get(f"/v1/proposals?subject_id={subject}").json()["data"] == []
    assert len(globex.post("/v1/chat", json=asked).json()["proposedWrites"]) == 1


def test_chat__told_the_same_twice__has_one_proposal_until_it_is_decided(acme, globex, subject):
    asked = body(subject, "Please remember that my cat is called Minka.")
    first, again = (acme.post("/v1/chat", json=asked).json()["proposedWrites"] for _ in range(2))
    assert [one["proposal_id"] for one in again] == [one["proposal_id"] for one in first]
    other = globex.post("/v1/chat", json=asked).json()["proposedWrites"]
    assert other[0]["proposal_id"] != first[0]["proposal_id"]
    assert len(acme.get(f"/v1/proposals?subject_id={subject}").json()["data"]) == 1
    acme.post(f"/v1/proposals/{first[0]['proposal_id']}/reject", json={}).raise_for_status()
    third = acme.post("/v1/chat", json=asked).json()["proposedWrites"]
    assert third[0]["proposal_id"] != first[0]["proposal_id"]


def test_chat__own_word_on_what_was_forgotten__is_proposed(gateway, acme, subject):
    memory = remember(gateway.acme, subject, "The boat is called Ondine.", source="chat")
    acme.delete(f"/v1/memories/{memory}").raise_for_status()
    answer = acme.post("/v1/chat", json=body(subject, "Please remember that the boat is called Ondine.")).json()
    assert (len(answer["proposedWrites"]), answer.get("rejectedWrites")) == (1, None)
