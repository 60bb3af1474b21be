"""`POST /v1/chat/completions` on the wire: a persona's turn in OpenAI's words, and the pass-through beside it."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest

from tests.harness import Gateway, eventually
from tests.surfaces.openai.support import DOT, LOOKUP, PATH, body, error, frames, persona, remember


@pytest.fixture
def subject() -> str:
    return f"openai-{uuid4().hex[:12]}"


def sent(upstream: Any, tag: str) -> list[dict[str, Any]]:
    """The calls that the provider saw of one test, by the tag in their model's name."""
    return [call for call in upstream.calls() if tag in str(call["body"].get("model"))]


def test_persona__buffered__is_a_completion_with_keys_of_ours_beside_it(gateway: Gateway, subject: str) -> None:
    memory_id = remember(gateway.acme, subject, "The piano lesson is on Tuesday at five.")
    asked = body("When is the piano lesson? And remember that I like tea.")
    with gateway.acme.client() as client, gateway.globex.client() as other:
        answer = client.post(PATH, json=asked, headers=persona(subject))
        elsewhere = other.post(PATH, json=asked, headers=persona(subject)).json()
    whole = answer.json()
    assert answer.status_code == 200, answer.text
    assert (whole["object"], whole["model"]) == ("chat.completion", "ikiro/sandbox")
    assert whole["id"].startswith("chat_")
    assert isinstance(whole["created"], int)
    (choice,) = whole["choices"]
    assert (choice["index"], choice["message"]["role"]) == (0, "assistant")
    assert "Tuesday at five" in choice["message"]["content"]
    assert "tool_calls" not in choice["message"]
    assert choice["finish_reason"] == "stop"
    assert [one["factId"] for one in whole["citations"]] == [memory_id]
    assert [one["type"] for one in whole["proposedWrites"]] == ["memory.upsert"]
    assert (whole["persona_id"], whole["persona_version"]) == ("brand-default", 1)
    assert whole["usage"]["total_tokens"] == whole["usage"]["prompt_tokens"] + whole["usage"]["completion_tokens"]
    assert whole["usage"]["prompt_tokens_details"] == {"cached_tokens": 0}
    assert whole["request_id"] == answer.headers["x-request-id"]
    assert elsewhere["citations"] == []
    assert "Tuesday" not in json.dumps(elsewhere)


@pytest.mark.parametrize("show_usage", [False, True])
def test_persona__streamed__is_chunks_of_one_id_and_no_named_event(
    gateway: Gateway, subject: str, show_usage: bool
) -> None:
    memory_id = remember(gateway.acme, subject, "The piano lesson is on Tuesday at five.")
    options = {"stream_options": {"include_usage": True}} if show_usage else {}
    asked = body("When is the piano lesson?", stream=True, **options)
    with gateway.acme.client() as client:
        *chunks, done = frames(client.post(PATH, json=asked, headers=persona(subject)))
    assert done == "[DONE]"
    assert {(one["id"], one["object"], one["model"]) for one in chunks} == {
        (chunks[0]["id"], "chat.completion.chunk", "ikiro/sandbox")
    }
    if show_usage:
        usage = chunks.pop()
        assert usage["choices"] == []
        assert usage["usage"]["memory_recalls"] == 1
    assert all(len(one["choices"]) == 1 and "usage" not in one for one in chunks)
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert chunks[0]["conversation_id"].startswith("conv_")
    assert ["role" in one["choices"][0]["delta"] for one in chunks[1:]] == [False] * (len(chunks) - 1)
    assert [one["choices"][0]["finish_reason"] for one in chunks] == [None] * (len(chunks) - 1) + ["stop"]
    assert "Tuesday at five" in "".join(one["choices"][0]["delta"].get("content", "") for one in chunks)
    assert [one["factId"] for one in chunks[-1]["citations"]] == [memory_id]
    assert chunks[-1]["proposedWrites"] == []


def test_persona__its_request__is_the_same_turn_as_the_native_one(gateway: Gateway, subject: str) -> None:
    memory_id = remember(gateway.acme, subject, "The harbour tour starts at noon.")
    with gateway.acme.client() as client, gateway.globex.client() as other:
        whole = client.post(PATH, json=body("When is the harbour tour?"), headers=persona(subject)).json()
        path = f"/v1/requests/{whole['request_id']}"
        row = eventually(lambda: client.get(path).raise_for_status().json())
        assert other.get(path).status_code == 404
        again = body("And where?", conversation_id=whole["conversation_id"], redact_mode="strict")
        follow = client.post(PATH, json=again, headers=persona(subject)).json()
    assert (row["surface"], row["persona_id"], row["subject_id"]) == ("openai", "brand-default", subject)
    stages = {line["stage"]: line for line in row["decisions"]}
    assert set(stages) >= {"auth", "limits", "persona", "policy", "recall", "route", "writes", "price"}
    assert stages["recall"]["memories"][0]["id"] == memory_id
    assert follow["conversation_id"] == whole["conversation_id"]


@pytest.mark.parametrize("stream", [False, True])
def test_persona__what_reaches_the_provider__has_neither_key_nor_address(
    gateway: Gateway, subject: str, upstream: Any, stream: bool
) -> None:
    tag = uuid4().hex
    asked = body(model=f"openai/fake:normal,tag={tag}", stream=stream, user="u1", memory_scopes=["chat"])
    with gateway.acme.client() as client:
        assert client.post(PATH, json=asked, headers=persona(subject)).status_code == 200
        plain = body(model=f"openai/fake:normal,tag={tag}", stream=stream, persona_id=None)
        assert client.post(PATH, json=plain).status_code == 200
    with_persona, without = sent(upstream, tag)
    for call in (with_persona, without):
        assert call["headers"]["authorization"] == "Bearer sk-upstream"
        assert not [name for name in call["headers"] if name.startswith("x-") or name == "request-id"]
        assert gateway.acme.api_key not in json.dumps(call)
        assert not {"persona_id", "subject_id", "memory_scopes", "conversation_id", "redact_mode"} & set(call["body"])
        assert subject not in json.dumps(call)
    assert with_persona["body"]["user"] == "u1"


def test_persona__images_and_text__reach_the_model_whole_and_masked(
    gateway: Gateway, subject: str, upstream: Any
) -> None:
    tag = uuid4().hex
    image = {"type": "image_url", "image_url": {"url": DOT, "detail": "low"}}
    parts = [{"type": "text", "text": "Is this card 4111 1111 1111 1111 mine?"}, image]
    messages = [
        {"role": "developer", "content": "Be brief."},
        {"role": "assistant", "content": "Hello.", "refusal": None, "tool_calls": None},
        {"role": "user", "content": parts},
    ]
    asked = {**body(model=f"openai/fake:normal,tag={tag}"), "messages": messages}
    with gateway.acme.client() as client:
        assert client.post(PATH, json=asked, headers=persona(subject)).status_code == 200
        native = {**asked, "persona_id": "brand-default", "subject_id": subject}
        assert client.post("/v1/chat", json=native).status_code == 200
    told = [{"type": "text", "text": "Is this card [card] mine?"}, image]
    for call in sent(upstream, tag):
        said = call["body"]["messages"]
        assert [one["role"] in {"system", "developer"} for one in said if one["content"] == "Be brief."] == [True]
        assert {"role": "assistant", "content": "Hello."} in said
        assert said[-1] == {"role": "user", "content": told}


@pytest.mark.parametrize("stream", [False, True])
def test_persona__parallel_tools__are_the_callers_alone(gateway: Gateway, subject: str, stream: bool) -> None:
    asked = body(model="openai/fake:tools,case=mixed", tools=[LOOKUP], stream=stream)
    with gateway.acme.client() as client:
        answer = client.post(PATH, json=asked, headers=persona(subject))
    assert "ikiro_" not in answer.text
    if stream:
        *chunks, _ = frames(answer)
        parts = [part for one in chunks for part in one["choices"][0]["delta"].get("tool_calls", ())]
        assert [part["index"] for part in parts] == [0] * len(parts)
        assert [("id" in part, "name" in part["function"]) for part in parts] == [(True, True)] + [(False, False)] * (
            len(parts) - 1
        )
        arguments, last = "".join(part["function"]["arguments"] for part in parts), chunks[-1]
    else:
        last = answer.json()
        message = last["choices"][0]["message"]
        (call,) = message["tool_calls"]
        assert (message["content"], call["type"], call["function"]["name"]) == (None, "function", "lookup")
        arguments = call["function"]["arguments"]
    assert json.loads(arguments) == {"city": "Berlin"}
    assert last["choices"][0]["finish_reason"] == "tool_calls"
    assert sorted(one["type"] for one in last["proposedWrites"]) == ["calendar.create", "memory.upsert"]


@pytest.mark.parametrize(
    ("choice", "offered"),
    [("auto", {"lookup", "ikiro_memory_upsert", "ikiro_propose_write"}), ("required", {"lookup"}),
     ("none", {"ikiro_memory_upsert", "ikiro_propose_write"})],
)  # fmt: skip
def test_persona__tool_choice__is_kept_for_the_callers_tools(
    gateway: Gateway, subject: str, upstream: Any, choice: str, offered: set[str]
) -> None:
    tag = uuid4().hex
    asked = body(model=f"openai/fake:normal,tag={tag}", tools=[LOOKUP], tool_choice=choice)
    with gateway.acme.client() as client:
        assert client.post(PATH, json=asked, headers=persona(subject)).status_code == 200
    (call,) = sent(upstream, tag)
    assert {tool["function"]["name"] for tool in call["body"]["tools"]} == offered
    assert call["body"].get("tool_choice") == (None if choice == "none" else choice)


def test_persona__both_names_of_the_bound__reach_the_model_as_one(
    gateway: Gateway, subject: str, upstream: Any
) -> None:
    tag = uuid4().hex
    asked = body(model=f"openai/fake:normal,tag={tag}", max_completion_tokens=64, max_tokens=70)
    with gateway.acme.client() as client:
        assert client.post(PATH, json=asked, headers=persona(subject)).status_code == 200
    (call,) = sent(upstream, tag)
    assert [call["body"][name] for name in ("max_completion_tokens", "max_tokens") if name in call["body"]] == [64]


def test_persona__only_proposals_where_json_was_asked_for__adds_no_sentence(gateway: Gateway, subject: str) -> None:
    asked = body(model="openai/fake:tools,case=split")
    with gateway.acme.client() as client:
        prose = client.post(PATH, json=asked, headers=persona(subject)).json()
        wanted = {**asked, "response_format": {"type": "json_object"}}
        structured = client.post(PATH, json=wanted, headers=persona(subject)).json()
    assert "waits for approval" in prose["choices"][0]["message"]["content"]
    assert structured["choices"][0]["message"]["content"] is None
    assert len(structured["proposedWrites"]) == 1


@pytest.mark.parametrize(
    ("headers", "change", "status", "code", "param"),
    [
        ({"x-persona-id": "brand-default"}, {}, 400, "invalid_request", "subject_id"),
        ({"x-subject-id": "ada"}, {}, 400, "invalid_request", "persona_id"),
        ({"x-memory-scopes": "chat"}, {}, 400, "invalid_request", "persona_id"),
        (persona("ada"), {"subject_id": "eve"}, 400, "invalid_request", "subject_id"),
        (persona("ada"), {"n": 2}, 400, "unsupported_parameter", "n"),
        (persona("ada"), {"logprobs": True}, 400, "unsupported_parameter", "logprobs"),
        (persona("ada"), {"messages": [{"role": "user", "content": 7}]}, 400, "invalid_request", "messages.0.content"),
        (persona("ada"), {"model": "nobody/nothing"}, 404, "model_not_found", "model"),
        ({**persona("ada"), "x-persona-id": "nobody"}, {}, 404, "persona_not_found", None),
        (persona("ada"), {"conversation_id": "conv_nonsense"}, 404, "not_found", None),
        ({}, {"model": "nobody/nothing"}, 404, "model_not_found", "model"),
        ({}, {"max_tokens": 0}, 400, "invalid_request", "max_tokens"),
        (persona("ada"), {"model": "openai/fake:status,code=401"}, 502, "provider_auth_failed", None),
        ({}, {"model": "openai/fake:status,code=401"}, 502, "provider_auth_failed", None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("stream", [False, True])
def test_refusal__before_the_first_byte__is_an_http_error_in_openais_shape(
    gateway: Gateway, headers: dict[str, str], change: dict[str, Any], status: int, code: str, param: str | None,
    stream: bool,
) -> None:  # fmt: skip
    with gateway.acme.client() as client:
        answer = client.post(PATH, json={**body(stream=stream), **change}, headers=headers)
        said = error(answer)
        assert (answer.status_code, said["code"], said["param"]) == (status, code, param), said
        assert answer.headers.get("x-should-retry") == ("false" if code == "provider_auth_failed" else None)


@pytest.mark.parametrize("headers", [{}, persona("mid-stream")])
@pytest.mark.parametrize("scenario", ["error-mid", "cut", "break"])
def test_upstream__breaks_off_in_the_middle__ends_with_an_error_and_no_done(
    gateway: Gateway, headers: dict[str, str], scenario: str
) -> None:
    with gateway.acme.client() as client:
        found = frames(client.post(PATH, json=body(model=f"openai/fake:{scenario}", stream=True), headers=headers))
    assert set(found[-1]) == {"error"}
    assert found[-1]["error"]["type"] == "server_error"
    finishes = [choice["finish_reason"] for one in found[:-1] for choice in one["choices"]]
    assert set(finishes) == {None}


def test_narrowed_key__without_its_persona__does_not_reach_the_bare_model(
    gateway: Gateway, upstream: Any, subject: str
) -> None:
    tag = uuid4().hex
    asked = body(model=f"openai/fake:normal,tag={tag}")
    with gateway.acme.client() as client:
        fields = {"name": "narrow", "persona_ids": ["brand-default"], "subject_ids": [subject]}
        made = client.post("/v1/keys", json=fields).json()
        with gateway.acme.client(made["secret"]) as narrow:
            plain = narrow.post(PATH, json=asked)
            other = narrow.post(PATH, json=asked, headers=persona("somebody-else"))
            assert sent(upstream, tag) == []
            own = narrow.post(PATH, json=asked, headers=persona(subject))
        client.delete(f"/v1/keys/{made['id']}")
    assert (plain.status_code, error(plain)["code"]) == (403, "persona_not_allowed")
    assert (other.status_code, error(other)["code"]) == (403, "subject_not_allowed")
    assert own.status_code == 200


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("path", ["/v1/moderations", "/v1/files", "/v1/completions", "/v1/responses/resp_1/cancel"])
def test_absent_path__of_openais_api__is_404_that_says_what_there_is(gateway: Gateway, method: str, path: str) -> None:
    with gateway.acme.client() as client:
        said = error(answer := client.request(method, path))
    assert (answer.status_code, said["type"], said["code"]) == (404, "invalid_request_error", "no_such_path")
    assert "/v1/chat/completions" in said["message"]


def test_native_chat__what_no_persona_takes_in__is_refused_in_its_own_shape(gateway: Gateway) -> None:
    native = {"persona_id": "brand-default", "subject_id": "ada"}
    audio = [{"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}]
    with gateway.acme.client() as client:
        for change, pointer, code in (
            (body(audio), "#/messages/0/content/0/type", "unsupported_parameter"),
            (body(tools=[LOOKUP], tool_choice="sometimes"), "#/tool_choice", "invalid_request"),
            (body(tool_choice="required"), "#/tool_choice", "invalid_request"),
        ):
            answer = client.post("/v1/chat", json={**change, **native})
            problem = answer.json()
            assert (answer.status_code, problem["code"]) == (422, code), problem
            assert problem["errors"][0]["pointer"] == pointer
