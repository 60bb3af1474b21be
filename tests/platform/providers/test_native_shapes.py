"""What the wires do with shapes that they speak themselves: what reaches the provider, and what the operator's own
credential is not for.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.core.errors import BadRequest
from gateway.platform.providers.anthropic_wire import AnthropicWire
from gateway.platform.providers.openai_wire import OpenAIWire
from gateway.platform.providers.sandbox import Sandbox
from gateway.platform.providers.types import Shape
from tests.platform.providers.dialects import ask, question
from tests.platform.providers.support import QUICK, messages_wire, run, wire


@pytest.fixture(autouse=True)
def _forgetful(upstream: Any) -> None:
    upstream.reset()


async def forwarded(provider: Any, shape: Shape, body: Any, model: str = "fake:normal") -> tuple[dict[str, Any], Any]:
    sent = json.dumps(body).encode()
    async with await provider.forward(sent, model=model, stream=False, shape=shape) as answer:
        return json.loads(b"".join([piece async for piece in answer])), answer


def own(kind: Any, upstream: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A wire with an organization's own credential, whose address the egress guard has let through."""
    base_url = upstream.base_url if kind is OpenAIWire else upstream.root
    made = kind(name="own", base_url=base_url, api_key="sk-own", trusted=True, timeouts=QUICK)
    monkeypatch.setattr(made, "_shared", False)
    return made


def test_responses__a_server_without_them__is_asked_once_and_then_chatted_with(upstream: Any) -> None:
    provider = wire(upstream.base_url)

    async def scene() -> None:
        for _ in range(3):
            body = question(Shape.RESPONSES)
            said, _ = await ask(provider, Shape.RESPONSES, "fake:normal,responses=0", body, stream=False)
            assert said.text

    run(scene())
    paths = [call["path"].rpartition("/")[2] for call in upstream.calls()]
    assert paths == ["responses", "completions", "completions", "completions"]


def test_responses__on_the_operators_credential__store_nothing(upstream: Any) -> None:
    run(forwarded(wire(upstream.base_url), Shape.RESPONSES, {"input": "x", "store": True}))
    assert upstream.calls()[0]["body"]["store"] is False


@pytest.mark.parametrize(
    ("shape", "fields"),
    [
        (Shape.RESPONSES, {"previous_response_id": "resp_1"}),
        (Shape.RESPONSES, {"conversation": "conv_1"}),
        (Shape.RESPONSES, {"background": True}),
        (Shape.RESPONSES, {"tools": [{"type": "file_search", "vector_store_ids": ["vs_1"]}]}),
        (Shape.RESPONSES, {"input": [{"type": "item_reference", "id": "msg_1"}]}),
        (Shape.MESSAGES, {"tools": [{"type": "web_search_20250305", "name": "web_search"}]}),
        (Shape.MESSAGES, {"container": "c_1"}),
        (Shape.MESSAGES, {"mcp_servers": [{"type": "url", "url": "https://x", "name": "x"}]}),
        (Shape.COUNT_TOKENS, {"container": "c_1"}),
    ],
)
def test_kept_and_hosted__on_the_operators_credential__never_reach_the_provider(
    upstream: Any, monkeypatch: pytest.MonkeyPatch, shape: Shape, fields: dict[str, Any]
) -> None:
    kind: Any = OpenAIWire if shape is Shape.RESPONSES else AnthropicWire
    shared = wire(upstream.base_url) if kind is OpenAIWire else messages_wire(upstream.root)
    body = json.loads(question(Shape.RESPONSES if shape is Shape.RESPONSES else Shape.MESSAGES)) | fields
    with pytest.raises(BadRequest) as raised:
        run(forwarded(shared, shape, body))
    assert raised.value.code == "unsupported_parameter"
    assert upstream.calls() == []
    if shape is Shape.RESPONSES:
        run(forwarded(own(kind, upstream, monkeypatch), shape, body))
        (call,) = upstream.calls()
        assert fields.items() <= call["body"].items()
        assert "store" not in call["body"]


def test_headers__of_anthropics_clients__travel_in_the_body_and_become_headers_again(upstream: Any) -> None:
    told = {"anthropic_version": "2026-10-21", "anthropic_beta": ["one-2026-01-01", "two"]}
    body = json.loads(question(Shape.MESSAGES)) | told
    run(forwarded(messages_wire(upstream.root), Shape.MESSAGES, body))
    (call,) = upstream.calls()
    assert (call["headers"]["anthropic-version"], call["headers"]["anthropic-beta"]) == (
        "2026-10-21",
        "one-2026-01-01,two",
    )
    assert not set(told) & set(call["body"])


@pytest.mark.parametrize("betas", ["one", [1], ["one\r\nx-api-key: stolen"], [""]])
def test_beta__that_is_no_name__is_refused(upstream: Any, betas: Any) -> None:
    body = json.loads(question(Shape.MESSAGES)) | {"anthropic_beta": betas}
    with pytest.raises(BadRequest):
        run(forwarded(messages_wire(upstream.root), Shape.MESSAGES, body))
    assert upstream.calls() == []


def test_count_tokens__by_anthropic__is_its_own_number(upstream: Any) -> None:
    body = {"messages": [{"role": "user", "content": "one two three"}]}
    answer, passed = run(forwarded(messages_wire(upstream.root), Shape.COUNT_TOKENS, body))
    assert set(answer) == {"input_tokens"}
    assert "x-ikiro-estimated" not in passed.headers
    assert upstream.calls()[0]["path"] == "/v1/messages/count_tokens"


def test_count_tokens__elsewhere__is_an_estimate_that_says_so(upstream: Any) -> None:
    body = {"messages": [{"role": "user", "content": "one two three"}]}
    answer, passed = run(forwarded(wire(upstream.base_url), Shape.COUNT_TOKENS, body))
    assert answer["estimated"] is True
    assert passed.headers["x-ikiro-estimated"] == "input_tokens"
    sandbox, _ = run(forwarded(Sandbox(), Shape.COUNT_TOKENS, body, "sandbox"))
    assert sandbox == {"input_tokens": 3}
    assert upstream.calls() == []


def test_embeddings__of_a_provider_without__are_refused_and_nothing_is_asked(upstream: Any) -> None:
    with pytest.raises(BadRequest) as raised:
        run(forwarded(messages_wire(upstream.root), Shape.EMBEDDINGS, {"input": "x"}))
    assert raised.value.code == "shape_not_served"
    assert upstream.calls() == []


def test_embeddings__as_text_where_numbers_were_asked__become_numbers(upstream: Any) -> None:
    body = {"input": "x", "dimensions": 3}
    packed, passed = run(forwarded(wire(upstream.base_url), Shape.EMBEDDINGS, body, "fake:normal,packed=1"))
    assert packed["data"][0]["embedding"] == [0.0, 1.0, 2.0]
    assert (passed.usage.prompt_tokens, passed.usage.completion_tokens) == (1, 0)


def test_sandbox_embeddings__are_the_same_for_the_same_words_and_of_length_one() -> None:
    body = {"input": ["Green tea", "green TEA", "coffee"], "dimensions": 64}
    answer, _ = run(forwarded(Sandbox(), Shape.EMBEDDINGS, body, "sandbox"))
    first, same, other = (row["embedding"] for row in answer["data"])
    assert first == same != other
    assert all(abs(sum(value * value for value in one) - 1) < 1e-9 for one in (first, other))
    for wrong in (
        {"input": []},
        {"input": [""]},
        {"input": "x", "dimensions": 0},
        {"input": "x", "encoding_format": "f"},
    ):
        with pytest.raises(BadRequest):
            run(forwarded(Sandbox(), Shape.EMBEDDINGS, wrong, "sandbox"))
