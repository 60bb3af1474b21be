"""``ikiro/sandbox``: honest, extractive, deterministic; proposes writes; pretends on request."""

from __future__ import annotations

import json
import time

import pytest

from gateway.core.errors import GatewayError
from gateway.engine.chat.citations import CitationFilter
from gateway.engine.chat.extraction import Extraction
from gateway.engine.chat.write_tools import WRITE_TOOLS
from gateway.platform.providers.sandbox import Sandbox
from gateway.platform.providers.sandbox.words import count_tokens
from tests.platform.providers.support import collect, last, request, run, text_of, until_failure

SYSTEM = {
    "role": "system",
    "content": "You are the persona “ana”. Stay in character.\n\nTone: friendly. Register: casual.",
}
MEMORIES = {
    "role": "system",
    "content": "## What you remember about this person\n"
    "[m1] Alex moved to Berlin in January (2026-03-01, chat)\n"
    "[m2] Alex loves Ethiopian coffee (2026-02-01, gmail)\n"
    "[m3] Alex's sister is called Mara (2026-02-01, chat)",
}


def ask(text: str, *, stream: bool = True, tools=(), messages=(SYSTEM, MEMORIES), **params):
    asked = request(
        "sandbox",
        stream=stream,
        messages=(*messages, {"role": "user", "content": text}),
        tools=tuple(tools),
        params=params,
    )
    return run(collect(Sandbox(), asked))


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Where did I move?", "Here is what I remember: Alex moved to Berlin in January. [m1]"),
        ("Which coffee do I love?", "Here is what I remember: Alex loves Ethiopian coffee. [m2]"),
        ("What is my sister's name?", "Here is what I remember: Alex's sister is called Mara. [m3]"),
    ],
)
def test_sandbox__question_about_a_memory__quotes_it_with_its_marker(question, answer):
    deltas = ask(question)
    assert (text_of(deltas), last(deltas, "finish_reason")) == (answer, "stop")
    assert all(len((delta.content or "").split()) <= 1 for delta in deltas)


def test_sandbox__marker__resolves_through_the_citation_filter():
    citations = CitationFilter(3)
    shown = "".join(citations.feed(delta.content or "") for delta in ask("Where did I move?")) + citations.finish()
    assert (shown, citations.cited) == ("Here is what I remember: Alex moved to Berlin in January.", (1,))


def test_sandbox__nothing_known__says_so_and_what_it_is():
    assert text_of(ask("What about quantum physics?")) == (
        "I do not remember anything about that. "
        "(ikiro/sandbox is a deterministic stand-in, not a language model: it only repeats memories.)"
    )


@pytest.mark.parametrize(
    "question", ["Who are you?", "What model are you?", "Are you a real human?", "are you chatgpt"]
)
def test_sandbox__asked_what_it_is__says_it_is_no_llm_in_the_personas_name(question):
    answer = text_of(ask(question))
    assert answer.startswith(
        "I am ana, answered here by ikiro/sandbox: a deterministic stand-in, not a language model."
    )


def test_sandbox__disclaimers_in_the_prompt__close_the_answer():
    rules = {
        "role": "system",
        "content": "## Rules of your organization\nSay where it applies:\n- Not legal advice.\n- Beta.",
    }
    assert text_of(ask("Where did I move?", messages=(SYSTEM, rules, MEMORIES))).endswith(
        "[m1] Not legal advice. Beta."
    )


@pytest.mark.parametrize(
    ("text", "tool", "arguments"),
    [
        (
            "Please remember that I prefer tea.",
            "ikiro_memory_upsert",
            {"text": "I prefer tea", "type": "preference", "confidence": 0.9},
        ),
        (
            "Hi! Can you remember that I moved to Rome?",
            "ikiro_memory_upsert",
            {"text": "I moved to Rome", "type": "fact", "slot": "home.city", "confidence": 0.9},
        ),
        (
            "Schedule dinner with Sam on Friday at 19:00",
            "ikiro_propose_write",
            {
                "type": "calendar.create",
                "payload": {"title": "Dinner with Sam", "when": "Friday at 19:00"},
                "confidence": 0.9,
            },
        ),
        (
            "Book a table for two tomorrow evening.",
            "ikiro_propose_write",
            {
                "type": "calendar.create",
                "payload": {"title": "Table for two", "when": "tomorrow evening"},
                "confidence": 0.9,
            },
        ),
        (
            "Add the dentist to my calendar next Tuesday",
            "ikiro_propose_write",
            {"type": "calendar.create", "payload": {"title": "Dentist", "when": "next Tuesday"}, "confidence": 0.9},
        ),
        (
            "schedule a haircut",
            "ikiro_propose_write",
            {"type": "calendar.create", "payload": {"title": "Haircut"}, "confidence": 0.9},
        ),
    ],
)
@pytest.mark.parametrize("stream", [True, False])
def test_sandbox__plain_phrase__calls_the_write_tool_that_was_offered(text, tool, arguments, stream):
    deltas = ask(text, stream=stream, tools=WRITE_TOOLS)
    calls = [call for delta in deltas for call in delta.tool_calls]
    assert [call.name for call in calls if call.name] == [tool]
    assert json.loads("".join(call.arguments for call in calls)) == arguments
    assert last(deltas, "finish_reason") == "tool_calls"
    extraction = Extraction()
    visible = [extraction.feed(delta) for delta in deltas]
    assert extraction.finish() == ()
    assert (len(extraction.writes), extraction.rejected, extraction.finish_reason) == (1, (), "stop")
    assert not any(part.tool_calls for part in visible)
    assert "waits for approval" in text_of(deltas)


def test_sandbox__two_requests_in_one_message__makes_both_calls():
    deltas = ask("Remember that I like tea. Schedule a call with Mara on Monday.", tools=WRITE_TOOLS)
    assert [call.name for delta in deltas for call in delta.tool_calls if call.name] == [
        "ikiro_memory_upsert",
        "ikiro_propose_write",
    ]


@pytest.mark.parametrize(
    "text",
    ["Do you remember that I moved?", "What did I schedule?", "I booked it already", "Have you noted my coffee?"],
)
def test_sandbox__question_or_report__proposes_nothing(text):
    assert not any(delta.tool_calls for delta in ask(text, tools=WRITE_TOOLS))


def test_sandbox__no_write_tool_offered__calls_none_and_says_so():
    deltas = ask("Remember that I like tea.")
    assert not any(delta.tool_calls for delta in deltas)
    assert "no tool for that was given to me" in text_of(deltas)


def test_sandbox__same_request_twice__gives_the_same_answer_and_usage():
    first, second = (ask("Where did I move?", tools=WRITE_TOOLS) for _ in range(2))
    assert first == second
    prompt = SYSTEM["content"] + " " + MEMORIES["content"] + " Where did I move?"
    assert last(first, "usage").prompt_tokens == count_tokens(prompt)
    assert last(first, "usage").completion_tokens == count_tokens(text_of(first)) == 16


def test_sandbox__max_tokens__cuts_the_answer_and_says_length():
    deltas = ask("Where did I move?", max_tokens=3)
    assert (text_of(deltas).split(), last(deltas, "finish_reason")) == (["Here", "is", "what"], "length")


def test_sandbox__tool_result_at_the_end__is_repeated():
    asked = request(
        "sandbox",
        messages=({"role": "user", "content": "weather?"}, {"role": "tool", "tool_call_id": "c", "content": "12 °C"}),
    )
    assert text_of(run(collect(Sandbox(), asked))) == "The tool answered: 12 °C"


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("kind", "code", "status"),
    [
        ("rate_limited", "upstream_rate_limited", 429),
        ("server_error", "upstream_error", 502),
        ("timeout", "upstream_timeout", 504),
    ],
)
def test_simulation__error__is_raised_before_the_first_delta(kind, code, status, stream):
    async def scene():
        with pytest.raises(GatewayError) as caught:
            await Sandbox().open(request("sandbox", stream=stream, params={"metadata": {"sandbox.error": kind}}))
        return caught.value.code, caught.value.http_status

    assert run(scene()) == (code, status)


def test_simulation__mid_stream__breaks_after_the_first_words():
    async def scene():
        async with await Sandbox().open(
            request("sandbox", params={"metadata": {"sandbox.error": "mid_stream", "sandbox.reply": "a b c d"}})
        ) as stream:
            seen, error = await until_failure(stream)
        return text_of(seen), error.code

    assert run(scene()) == ("a b ", "upstream_error")


def test_simulation__delays_reply_and_tool_call__are_as_asked():
    lookup = {"type": "function", "function": {"name": "lookup"}}
    started = time.monotonic()
    deltas = ask(
        "x",
        tools=[lookup],
        metadata={
            "sandbox.delay_ms": "100",
            "sandbox.chunk_delay_ms": "50",
            "sandbox.reply": "one two",
            "other": "y",
            "sandbox.tool_call": '{"name": "lookup", "arguments": {"city": "Rome"}}',
        },
    )
    assert 0.25 <= time.monotonic() - started < 1
    calls = [call for delta in deltas for call in delta.tool_calls]
    assert (text_of(deltas), calls[0].name, json.loads("".join(call.arguments for call in calls))) == (
        "one two",
        "lookup",
        {"city": "Rome"},
    )


@pytest.mark.parametrize(
    "metadata",
    [
        {"sandbox.delay_ms": "-1"},
        {"sandbox.delay_ms": "1e3"},
        {"sandbox.delay_ms": "600000"},
        {"sandbox.error": "fire"},
        {"sandbox.unknown": "1"},
        {"sandbox.tool_call": "{"},
        {"sandbox.tool_call": "[]"},
        {"sandbox.tool_call": '{"name": "not_offered"}'},
    ],
)
def test_simulation__unreadable_option__is_refused_by_name(metadata):
    async def scene():
        with pytest.raises(GatewayError) as caught:
            await Sandbox().open(request("sandbox", params={"metadata": metadata}))
        return caught.value

    error = run(scene())
    assert (error.code, error.http_status) == ("sandbox_option_invalid", 400)
    assert next(iter(metadata)) in error.detail


@pytest.mark.parametrize("stream", [True, False])
def test_forward__to_the_sandbox__speaks_the_openai_shape(stream):
    body = {
        "model": "ikiro/sandbox",
        "stream": stream,
        "messages": [SYSTEM, MEMORIES, {"role": "user", "content": "Remember that I like tea."}],
        "tools": list(WRITE_TOOLS),
        "stream_options": {"include_usage": True},
    }

    async def scene():
        async with await Sandbox().forward(json.dumps(body).encode(), model="sandbox", stream=stream) as answer:
            return b"".join([piece async for piece in answer]), answer

    data, answer = run(scene())
    assert answer.finished
    assert answer.usage.prompt_tokens > 20
    if not stream:
        whole = json.loads(data)
        assert whole["choices"][0]["message"]["tool_calls"][0]["function"]["name"] == "ikiro_memory_upsert"
        assert whole["usage"]["total_tokens"] == answer.usage.prompt_tokens + answer.usage.completion_tokens
        return
    frames = [line.removeprefix(b"data: ") for line in data.split(b"\n\n") if line]
    parsed = [json.loads(frame) for frame in frames[:-1]]
    assert frames[-1] == b"[DONE]"
    assert parsed[0]["choices"][0]["delta"]["role"] == "assistant"
    assert [frame["choices"] for frame in parsed].count([]) == 1
    assert parsed[-1]["usage"]["completion_tokens"] == answer.usage.completion_tokens
    assert len({frame["id"] for frame in parsed}) == 1
