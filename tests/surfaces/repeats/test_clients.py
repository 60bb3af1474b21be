"""The vendors' own Python clients with an Idempotency-Key: buffered, streamed, and refused."""

from __future__ import annotations

from typing import Any

import pytest
from anthropic import Anthropic
from openai import OpenAI, UnprocessableEntityError

from tests.harness import Gateway
from tests.surfaces.repeats.support import asked, fresh, keyed

MODEL = "openai/fake:normal"


@pytest.fixture
def openai(gateway: Gateway) -> OpenAI:
    return OpenAI(base_url=f"{gateway.base_url}/v1", api_key=gateway.acme.api_key, max_retries=0, timeout=60)


@pytest.fixture
def anthropic(gateway: Gateway) -> Anthropic:
    return Anthropic(base_url=gateway.base_url, api_key=gateway.acme.api_key, max_retries=0, timeout=60)


def test_openai__the_same_call_twice__is_the_same_completion(openai: OpenAI, upstream: Any) -> None:
    mark = fresh()
    call = {"model": MODEL, "messages": [{"role": "user", "content": mark}], "extra_headers": keyed(mark)}
    first, second = (openai.chat.completions.create(**call) for _ in range(2))
    assert first == second
    assert first.choices[0].message.content
    with pytest.raises(UnprocessableEntityError) as refused:
        openai.chat.completions.create(**{**call, "temperature": 0.5})
    assert refused.value.code == "idempotency_mismatch"
    assert len(asked(upstream, mark)) == 1


def test_openai__the_same_stream_twice__has_the_same_chunks(openai: OpenAI, upstream: Any) -> None:
    mark = fresh()
    call = {"model": MODEL, "messages": [{"role": "user", "content": mark}], "extra_headers": keyed(mark)}
    first, second = (list(openai.chat.completions.create(**call, stream=True)) for _ in range(2))
    assert first == second
    assert first[-1].choices[0].finish_reason == "stop"
    assert len(asked(upstream, mark)) == 1


def test_anthropic__the_same_call_twice__is_the_same_message(anthropic: Anthropic, upstream: Any) -> None:
    mark = fresh()
    call: Any = {
        "model": MODEL, "max_tokens": 100, "messages": [{"role": "user", "content": mark}], "extra_headers": keyed(mark)
    }  # fmt: skip
    first, second = (anthropic.messages.create(**call) for _ in range(2))
    assert first == second
    with anthropic.messages.stream(**{**call, "extra_headers": keyed(f"{mark}-s")}) as stream:
        said = stream.get_final_message()
    with anthropic.messages.stream(**{**call, "extra_headers": keyed(f"{mark}-s")}) as stream:
        assert stream.get_final_message() == said
    assert len(asked(upstream, mark)) == 2
