"""What a call to the OpenAI surface says: whom it is for, and what of its body becomes a turn."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.core.errors import BadRequest
from gateway.surfaces.openai import absent, envelope, turn
from gateway.surfaces.openai.address import Address, addressed

BODY: dict[str, Any] = {"model": "ikiro/sandbox", "messages": [{"role": "user", "content": "hello"}]}
HEADERS = {"HTTP_X_PERSONA_ID": "coach", "HTTP_X_SUBJECT_ID": "ada"}
COACH = Address("coach", "ada")


def read(headers: dict[str, str] | None = None, **more: Any) -> Address | None:
    return addressed(headers or {}, envelope.read(json.dumps({**BODY, **more}).encode()))


def translated(**more: Any) -> Any:
    body = json.dumps({**BODY, **more}).encode()
    return turn.chat_request(body, envelope.read(body), COACH)


def test_addressed__nothing_named__is_for_the_model() -> None:
    assert read() is None
    assert read(persona_id=None, subject_id=None, memory_scopes=None, conversation_id=None, redact_mode=None) is None


def test_addressed__by_headers_or_by_body__says_the_same() -> None:
    assert read(HEADERS) == read(persona_id="coach", subject_id="ada") == COACH
    scoped = Address("coach", "ada", memory_scopes=("gmail", "chat"))
    assert read({**HEADERS, "HTTP_X_MEMORY_SCOPES": " gmail , chat "}) == scoped
    assert read(HEADERS, memory_scopes=["gmail", "chat"]) == scoped
    assert read({**HEADERS, "HTTP_X_MEMORY_SCOPES": ""}) == Address("coach", "ada", memory_scopes=())


def test_addressed__more_in_the_body__joins_the_headers() -> None:
    more = {"conversation_id": "conv_1", "persona_version": 2, "redact_mode": "strict", "subject_id": "ada"}
    assert read(HEADERS, **more) == Address("coach", "ada", None, "conv_1", 2, "strict")


def test_addressed__a_name_in_utf8__is_read_as_such() -> None:
    address = read({**HEADERS, "HTTP_X_SUBJECT_ID": "Zoë".encode().decode("latin1")})
    assert address is not None
    assert address.subject_id == "Zoë"


@pytest.mark.parametrize(
    ("headers", "more", "pointer"),
    [
        ({"HTTP_X_PERSONA_ID": "coach"}, {}, "#/subject_id"),
        ({"HTTP_X_SUBJECT_ID": "ada"}, {}, "#/persona_id"),
        ({"HTTP_X_MEMORY_SCOPES": "chat"}, {}, "#/persona_id"),
        ({}, {"redact_mode": "strict"}, "#/persona_id"),
        ({}, {"conversation_id": "conv_1"}, "#/persona_id"),
        (HEADERS, {"subject_id": "somebody-else"}, "#/subject_id"),
        (HEADERS, {"persona_id": "another"}, "#/persona_id"),
        ({**HEADERS, "HTTP_X_SUBJECT_ID": ""}, {}, "#/subject_id"),
        ({**HEADERS, "HTTP_X_SUBJECT_ID": "x" * 129}, {}, "#/subject_id"),
        ({**HEADERS, "HTTP_X_SUBJECT_ID": "\xff"}, {}, "#/subject_id"),
        ({**HEADERS, "HTTP_X_MEMORY_SCOPES": "a,,b"}, {}, "#/memory_scopes"),
        ({"HTTP_X_PERSONA_ID": "coach"}, {"subject_id": "a\nb"}, "#/subject_id"),
        ({}, {"persona_id": "", "subject_id": "ada"}, "#/persona_id"),
        ({}, {"persona_id": 7, "subject_id": "ada"}, "#/persona_id"),
        ({}, {"persona_id": "coach", "subject_id": "ada", "redact_mode": "sometimes"}, "#/redact_mode"),
    ],
)  # fmt: skip
def test_addressed__half_an_address_or_two_of_them__is_refused(
    headers: dict[str, str], more: dict[str, Any], pointer: str
) -> None:
    with pytest.raises(BadRequest) as refused:
        read(headers, **more)
    assert refused.value.problems[0].pointer == pointer


def test_without_ours__of_a_body__keeps_the_bytes_of_all_else() -> None:
    body = b'{"model":"m","persona_id":null, "seed": 1e2,"messages":[ {"content":"\\u00e9"} ]}'
    assert envelope.without_ours(body) == b'{"model":"m","seed":1e2,"messages":[ {"content":"\\u00e9"} ]}'


def test_chat_request__of_openais_options__hands_them_on() -> None:
    tool = {"type": "function", "function": {"name": "lookup"}}
    request, show_usage = translated(
        stream=True, stream_options={"include_usage": True}, tools=[tool], tool_choice="auto", n=1, top_p=None,
        stop=["END"], seed=7, max_completion_tokens=50, max_tokens=60, temperature=1, metadata={"ticket": "7"},
        response_format={"type": "json_object"}, reasoning_effort="low", logprobs=False, top_logprobs=0, top_k=3,
        modalities=["text"], functions=None, audio=None,
    )  # fmt: skip
    assert show_usage
    assert (request.stream, request.max_tokens, request.tool_choice) == (True, 50, "auto")
    assert request.tools == (tool,)
    assert request.structured
    assert request.params == {
        "stop": ["END"], "seed": 7, "max_completion_tokens": 50, "temperature": 1, "metadata": {"ticket": "7"},
        "response_format": {"type": "json_object"}, "reasoning_effort": "low", "top_k": 3,
    }  # fmt: skip
    assert (request.persona_id, request.subject_id) == ("coach", "ada")


def test_chat_request__bare__has_the_defaults() -> None:
    request, show_usage = translated(stream=None, stream_options=None, tools=None, tool_choice=None)
    assert (request.stream, show_usage, request.tools, request.params, request.structured) == (
        False, False, (), {}, False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("more", "pointer", "code"),
    [
        ({"n": 2}, "/n", "unsupported_parameter"),
        ({"n": 0}, "/n", "unsupported_parameter"),
        ({"logprobs": True}, "/logprobs", "unsupported_parameter"),
        ({"top_logprobs": 3}, "/top_logprobs", "unsupported_parameter"),
        ({"modalities": ["text", "audio"]}, "/modalities", "unsupported_parameter"),
        ({"audio": {"voice": "alloy"}}, "/audio", "unsupported_parameter"),
        ({"functions": []}, "/functions", "unsupported_parameter"),
        ({"function_call": "auto"}, "/function_call", "unsupported_parameter"),
        ({"temperature": 3}, "#/temperature", "invalid_request"),
        ({"tools": [7]}, "#/tools/0", "invalid_request"),
        ({"stop": 7}, "#/stop", "invalid_request"),
        ({"messages": ["hello"]}, "#/messages/0", "invalid_request"),
        ({"metadata": {"a": 1}}, "#/metadata", "invalid_request"),
        ({"messages": [{"role": "user", "content": "a\0b"}]}, "#/messages/0/content", "invalid_request"),
    ],
)
def test_chat_request__what_cannot_be__is_refused_by_name(more: dict[str, Any], pointer: str, code: str) -> None:
    with pytest.raises(BadRequest) as refused:
        translated(**more)
    assert (refused.value.problems[0].pointer, refused.value.code) == (pointer, code)


def test_envelope__not_an_object__says_so() -> None:
    with pytest.raises(BadRequest) as refused:
        envelope.read(b"[]")
    assert refused.value.problems[0].pointer == "#"
    with pytest.raises(BadRequest) as refused:
        envelope.read(b'{"messages": [{}]}')
    assert refused.value.problems[0].pointer == "#/model"


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("/v1/responses/resp_1/cancel", "not stored here"),
        ("/v1/messages/batches", "one by one"),
        ("/v1/completions", "as a message"),
        ("/v1/complete", "client.messages.create"),
        ("/v1/audio/speech", "POST /v1/chat/completions"),
        ("/v1/chat/completions/chatcmpl_1", "POST /v1/chat/completions"),
    ],
)
def test_absent__of_openais_api__says_what_there_is(path: str, hint: str) -> None:
    refusal = absent.at(path)
    assert refusal is not None
    assert hint in refusal.detail


@pytest.mark.parametrize(
    "path",
    [
        "/v1/chat",
        "/v1/models",
        "/v1/messages",
        "/v1/responses",
        "/v1/embeddings",
        "/v1/models/aliases/x",
        "/v1/nothing",
        "/v1/filesystem",
        "/healthz",
        "/v1/memories/x",
    ],
)
def test_absent__of_our_own_or_nobodys__is_not_openais(path: str) -> None:
    assert absent.at(path) is None
