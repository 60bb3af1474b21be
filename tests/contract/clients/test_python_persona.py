"""The official Python client with a persona: three headers, and what OpenAI does not know beside what it does."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from tests.contract.clients.support import client
from tests.harness import Gateway
from tests.surfaces.openai.support import remember

QUESTION: Any = [{"role": "user", "content": "When is the piano lesson? And remember that I like tea."}]


@pytest.fixture
def subject() -> str:
    return f"python-{uuid4().hex[:12]}"


def test_persona__by_headers__shows_citations_and_proposed_writes(front: Gateway, subject: str) -> None:
    memory_id = remember(front.acme, subject, "The piano lesson is on Tuesday at five.")
    with client(front.acme, subject) as openai, client(front.globex, subject) as other:
        answer = openai.chat.completions.create(model="ikiro/sandbox", messages=QUESTION)
        elsewhere = other.chat.completions.create(model="ikiro/sandbox", messages=QUESTION)
    extra: Any = answer.model_extra
    assert [one["factId"] for one in extra["citations"]] == [memory_id]
    assert [one["type"] for one in extra["proposedWrites"]] == ["memory.upsert"]
    assert extra["persona_id"] == "brand-default"
    assert "Tuesday" in (answer.choices[0].message.content or "")
    assert (elsewhere.model_extra or {})["citations"] == []


def test_persona__streamed__shows_them_on_the_last_chunk_with_a_choice(front: Gateway, subject: str) -> None:
    memory_id = remember(front.acme, subject, "The piano lesson is on Tuesday at five.")
    with client(front.acme, subject) as openai:
        chunks = list(openai.chat.completions.create(model="ikiro/sandbox", messages=QUESTION, stream=True))
        with openai.chat.completions.stream(model="ikiro/sandbox", messages=QUESTION) as events:
            helped = [event.chunk for event in events if event.type == "chunk"]
            final: Any = events.get_final_completion()
    for last in (chunks[-1], helped[-1]):
        extra: Any = last.model_extra
        assert last.choices[0].finish_reason == "stop"
        assert [one["factId"] for one in extra["citations"]] == [memory_id]
        assert [one["type"] for one in extra["proposedWrites"]] == ["memory.upsert"]
    assert final.choices[0].message.content == "".join(chunk.choices[0].delta.content or "" for chunk in helped)
    assert final.model_extra["conversation_id"].startswith("conv_")


def test_persona__by_extra_body__continues_a_conversation(front: Gateway, subject: str) -> None:
    address = {"persona_id": "brand-default", "subject_id": subject, "memory_scopes": ["chat"], "redact_mode": "strict"}
    with client(front.acme) as openai:
        first: Any = openai.chat.completions.create(model="ikiro/sandbox", messages=QUESTION, extra_body=address)
        conversation = first.model_extra["conversation_id"]
        again: Any = openai.chat.completions.create(
            model="ikiro/sandbox", messages=QUESTION, extra_body={**address, "conversation_id": conversation}
        )
    assert again.model_extra["conversation_id"] == conversation


def test_persona__raw_answer__has_the_headers(front: Gateway, subject: str) -> None:
    with client(front.acme, subject) as openai:
        raw = openai.chat.completions.with_raw_response.create(model="ikiro/sandbox", messages=QUESTION)
    assert raw.headers["x-request-id"] == raw.request_id
    assert int(raw.headers["ratelimit-limit"]) > 0
    assert (raw.parse().model_extra or {})["proposedWrites"]
