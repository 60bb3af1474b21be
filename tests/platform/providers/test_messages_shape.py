"""Anthropic's bodies as the one request, and deltas as its messages: the details that no client shows."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.core.errors import BadRequest
from gateway.platform.providers.messages_shape import MessageWriter, estimated_tokens, request_of
from gateway.platform.providers.types import ModelDelta, TokenUsage, ToolCallDelta
from tests.platform.providers.dialects import events

IMAGE: dict[str, Any] = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QUJD"}}


def read(*messages: dict[str, Any], model: str = "gpt-4o", **more: Any) -> Any:
    given = list(messages) or [{"role": "user", "content": "hello"}]
    return request_of({"messages": given, "max_tokens": 50, **more}, model=model, stream=False)


def test_results__and_words_beside_them__become_tool_messages_and_one_of_the_user() -> None:
    request = read(
        {"role": "user", "content": "weather?"},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "hm", "signature": "s"},
            {"type": "text", "text": "I look."},
            {"type": "tool_use", "id": "a", "name": "get_weather", "input": {"city": "Rome"}},
            {"type": "tool_use", "id": "b", "name": "get_time", "input": {}},
        ]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "a", "content": "rain"},
            {"type": "tool_result", "tool_use_id": "b", "is_error": True, "content": [{"type": "text", "text": "no"}]},
            {"type": "text", "text": "and?"}, IMAGE,
        ]},
    )  # fmt: skip
    calls = [
        {"id": "a", "type": "function", "function": {"name": "get_weather", "arguments": '{"city":"Rome"}'}},
        {"id": "b", "type": "function", "function": {"name": "get_time", "arguments": "{}"}},
    ]
    assert request.messages == (
        {"role": "user", "content": "weather?"},
        {"role": "assistant", "content": "I look.", "tool_calls": calls},
        {"role": "tool", "tool_call_id": "a", "content": "rain"},
        {"role": "tool", "tool_call_id": "b", "content": "Error:\nno"},
        {"role": "user", "content": [
            {"type": "text", "text": "and?"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}},
        ]},
    )  # fmt: skip


def test_options__with_a_counterpart__are_said_in_its_words() -> None:
    request = read(
        system=[{"type": "text", "text": "Be brief."}], stop_sequences=["END"], temperature=0.2,
        tools=[{"name": "f", "description": "d", "input_schema": {"type": "object"}}],
        tool_choice={"type": "any", "disable_parallel_tool_use": True}, metadata={"user_id": "u"},
    )  # fmt: skip
    assert request.messages[0] == {"role": "system", "content": "Be brief."}
    assert request.params == {
        "temperature": 0.2, "max_tokens": 50, "stop": ["END"], "parallel_tool_calls": False, "user": "u",
    }  # fmt: skip
    assert request.tool_choice == "required"
    function = {"name": "f", "description": "d", "parameters": {"type": "object"}}
    assert request.tools == ({"type": "function", "function": function},)
    assert request.ignored == []


@pytest.mark.parametrize(
    ("choice", "said"),
    [({"type": "auto"}, "auto"), ({"type": "none"}, "none"),
     ({"type": "tool", "name": "f"}, {"type": "function", "function": {"name": "f"}})],
)  # fmt: skip
def test_tool_choice__of_each_kind__has_its_counterpart(choice: Any, said: Any) -> None:
    assert read(tools=[{"name": "f", "input_schema": {}}], tool_choice=choice).tool_choice == said


@pytest.mark.parametrize(
    ("model", "more", "effort", "ignored"),
    [
        ("gpt-5-mini", {"thinking": {"type": "enabled", "budget_tokens": 2000}}, "low", []),
        ("o3", {"thinking": {"type": "enabled", "budget_tokens": 10_000}}, "medium", []),
        ("o3", {"thinking": {"type": "enabled", "budget_tokens": 60_000}}, "high", []),
        ("o3", {"thinking": {"type": "adaptive"}}, "medium", []),
        ("o3", {"output_config": {"effort": "max"}}, "high", []),
        ("o3", {"thinking": {"type": "disabled"}}, None, []),
        ("gpt-4o", {"thinking": {"type": "enabled", "budget_tokens": 2000}}, None, ["thinking"]),
        ("gpt-4o", {"output_config": {"effort": "low"}}, None, ["output_config.effort"]),
    ],
)
def test_thinking__becomes_effort_where_the_model_takes_it(
    model: str, more: dict[str, Any], effort: str | None, ignored: list[str]
) -> None:
    request = read(model=model, **more)
    assert (request.params.get("reasoning_effort"), request.ignored) == (effort, ignored)


def test_tuning__without_counterpart__is_left_out_and_noted() -> None:
    cached = {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}
    request = read({"role": "user", "content": [cached]}, top_k=3, service_tier="auto")
    assert request.ignored == ["top_k", "service_tier", "cache_control"]
    assert request.messages == ({"role": "user", "content": "x"},)


@pytest.mark.parametrize(
    ("strict", "schema"),
    [
        (True, {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"],
                "additionalProperties": False}),
        (False, {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False}),
        (False, {"type": "object", "properties": {"a": {"type": "object", "properties": {}}}, "required": ["a"],
                 "additionalProperties": False}),
    ],
)  # fmt: skip
def test_output_format__is_enforced_to_the_letter_where_it_can_be(strict: bool, schema: dict[str, Any]) -> None:
    wanted = read(output_config={"format": {"type": "json_schema", "schema": schema}}).params["response_format"]
    assert wanted["json_schema"]["strict"] is strict
    assert wanted["json_schema"]["schema"] == schema


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"mcp_servers": [{"url": "https://x"}]}, "#/mcp_servers"),
        ({"container": "c"}, "#/container"),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "#/tools/0/type"),
        ({"tool_choice": {"type": "often"}}, "#/tool_choice/type"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "#/messages/0/role"),
        ({"messages": [{"role": "user", "content": [{"type": "search_result"}]}]}, "#/messages/0/content/0/type"),
        ({"messages": [{"role": "user", "content": 1}]}, "#/messages/0/content"),
        ({"messages": [{"role": "assistant", "content": [IMAGE]}]}, "#/messages/0/content/0/type"),
        ({"anthropic_version": "2026-10-21", "temperature": 1.0}, "#/temperature"),
    ],
)
def test_what_has_no_counterpart__is_refused_by_its_place(fields: dict[str, Any], place: str) -> None:
    with pytest.raises(BadRequest) as raised:
        request_of({"messages": [{"role": "user", "content": "x"}], **fields}, model="m", stream=False)
    assert raised.value.problems[0].pointer == place


def test_writer__calls_by_turns__are_blocks_one_after_the_other() -> None:
    writer = MessageWriter(answer_id="1", model="m")
    deltas = [
        ModelDelta("Let me see."),
        ModelDelta(tool_calls=(ToolCallDelta(0, "a", "f"), ToolCallDelta(1, "b", "g"))),
        ModelDelta(tool_calls=(ToolCallDelta(0, arguments='{"x":'), ToolCallDelta(1, arguments='{"y"'))),
        ModelDelta(tool_calls=(ToolCallDelta(0, arguments="1}"), ToolCallDelta(1, arguments=":2}"))),
        ModelDelta(finish_reason="tool_calls"),
        ModelDelta(usage=TokenUsage(10, 5, 4, 3)),
    ]
    data = writer.start() + b"".join(writer.feed(delta) for delta in deltas) + writer.finish(extra=1)
    shown = [(event["type"], event.get("index")) for event in events(data)]
    one = [("content_block_start", 0), ("content_block_delta", 0), ("content_block_stop", 0)]
    assert shown[:5] == [("message_start", None), ("ping", None), *one]
    assert [(kind, at) for kind, at in shown if kind in ("content_block_start", "content_block_stop")] == [
        (kind, at) for at in range(3) for kind in ("content_block_start", "content_block_stop")
    ]
    arguments = {1: "", 2: ""}
    for event in events(data):
        if event["type"] == "content_block_delta" and event["index"] > 0:
            arguments[event["index"]] += event["delta"]["partial_json"]
    assert arguments == {1: '{"x":1}', 2: '{"y":2}'}
    last = events(data)[-2]
    assert last["usage"] == {
        "input_tokens": 3, "cache_creation_input_tokens": 3, "cache_read_input_tokens": 4, "output_tokens": 5,
    }  # fmt: skip
    assert (last["delta"]["stop_reason"], last["extra"]) == ("tool_use", 1)


def test_writer__arguments_that_are_no_object__stay_readable() -> None:
    delta = ModelDelta(None, (ToolCallDelta(0, "a", "f", '{"cut'),), "length", TokenUsage(1, 1))
    message = json.loads(MessageWriter(answer_id="1", model="m").whole(delta))
    assert message["content"][0]["input"] == {"arguments": '{"cut'}
    assert message["stop_reason"] == "max_tokens"


def test_estimate__grows_with_what_there_is_to_read() -> None:
    short, long = read(), read({"role": "user", "content": "hello " * 400})
    pictured = read({"role": "user", "content": [IMAGE]})
    assert 0 < estimated_tokens(short) < 20
    assert 500 < estimated_tokens(long) < 700
    assert estimated_tokens(pictured) > 900
