"""Bodies of the Responses API as the one request, and deltas as its events: the details that no client shows."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.core.errors import BadRequest
from gateway.platform.providers.responses_shape import ResponseWriter, request_of
from gateway.platform.providers.types import ModelDelta, TokenUsage, ToolCallDelta
from tests.platform.providers.dialects import events


def read(given: Any = "hello", **more: Any) -> Any:
    return request_of({"input": given, **more}, model="m", stream=False)


def test_items__of_a_conversation__become_messages() -> None:
    request = read(
        [
            {"role": "developer", "content": "Be brief."},
            {"type": "message", "role": "user", "content": [
                {"type": "input_text", "text": "What?"},
                {"type": "input_image", "image_url": "https://x/y.png", "detail": "low"},
                {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,QQ=="},
            ]},
            {"type": "reasoning", "summary": []},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I look."}]},
            {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"},
            {"type": "function_call", "call_id": "b", "name": "g", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "a", "output": "1"},
            {"type": "function_call_output", "call_id": "b", "output": [{"type": "input_text", "text": "2"}]},
        ],
        instructions="You are kind.",
    )  # fmt: skip
    calls = [
        {"id": key, "type": "function", "function": {"name": name, "arguments": "{}"}}
        for key, name in (("a", "f"), ("b", "g"))
    ]
    assert request.messages == (
        {"role": "system", "content": "You are kind."},
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [
            {"type": "text", "text": "What?"},
            {"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": "low"}},
            {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,QQ=="}},
        ]},
        {"role": "assistant", "content": "I look.", "tool_calls": calls},
        {"role": "tool", "tool_call_id": "a", "content": "1"},
        {"role": "tool", "tool_call_id": "b", "content": "2"},
    )  # fmt: skip


def test_options__with_a_counterpart__are_said_in_its_words() -> None:
    schema = {"type": "object", "properties": {}, "additionalProperties": False}
    request = read(
        max_output_tokens=9, temperature=0.1, reasoning={"effort": "low", "summary": "auto"}, store=True,
        text={"verbosity": "low", "format": {"type": "json_schema", "name": "n", "schema": schema, "strict": True}},
        tools=[{"type": "function", "name": "f", "parameters": schema, "strict": True}],
        tool_choice={"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "f"}]},
    )  # fmt: skip
    assert request.params == {
        "temperature": 0.1, "max_completion_tokens": 9, "verbosity": "low", "reasoning_effort": "low",
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": schema, "strict": True}},
    }  # fmt: skip
    named = {"type": "function", "function": {"name": "f"}}
    allowed = {"mode": "required", "tools": [named]}
    assert request.tool_choice == {"type": "allowed_tools", "allowed_tools": allowed}
    assert request.ignored == ["store", "reasoning.summary"]


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"previous_response_id": "resp_1"}, "#/previous_response_id"),
        ({"conversation": "conv_1"}, "#/conversation"),
        ({"prompt": {"id": "p"}}, "#/prompt"),
        ({"background": True}, "#/background"),
        ({"tools": [{"type": "web_search"}]}, "#/tools/0/type"),
        ({"tools": [{"type": "function"}]}, "#/tools/0/name"),
        ({"tool_choice": {"type": "mcp"}}, "#/tool_choice/type"),
        ({"text": {"format": {"type": "grammar"}}}, "#/text/format/type"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, "#/input/0/type"),
        ({"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}]}, "#/input/0/content/0"),
        ({"input": ""}, "#/input"),
        ({"input": [{"type": "reasoning"}]}, "#/input"),
    ],
)
def test_what_has_no_counterpart__is_refused_by_its_place(fields: dict[str, Any], place: str) -> None:
    with pytest.raises(BadRequest) as raised:
        request_of({"input": "x", **fields}, model="m", stream=False)
    assert raised.value.problems[0].pointer == place


def test_writer__thinking_text_and_call__are_items_one_after_the_other() -> None:
    writer = ResponseWriter(answer_id="1", model="m", asked={"temperature": 0.5})
    deltas = [
        ModelDelta(thinking="hm"),
        ModelDelta("I look."),
        ModelDelta(tool_calls=(ToolCallDelta(0, "a", "f", '{"x":'),)),
        ModelDelta(tool_calls=(ToolCallDelta(0, arguments="1}"),)),
        ModelDelta(finish_reason="tool_calls", usage=TokenUsage(10, 5, 4)),
    ]
    data = writer.start() + b"".join(writer.feed(delta) for delta in deltas) + writer.finish(extra=1)
    found = events(data)
    assert [event["sequence_number"] for event in found] == list(range(len(found)))
    assert [event["type"].removeprefix("response.") for event in found] == [
        "created", "in_progress",
        "output_item.added", "reasoning_summary_part.added", "reasoning_summary_text.delta",
        "reasoning_summary_text.done", "reasoning_summary_part.done", "output_item.done",
        "output_item.added", "content_part.added", "output_text.delta",
        "output_text.done", "content_part.done", "output_item.done",
        "output_item.added", "function_call_arguments.delta", "function_call_arguments.delta",
        "function_call_arguments.done", "output_item.done",
        "completed",
    ]  # fmt: skip
    response = found[-1]["response"]
    assert [item["type"] for item in response["output"]] == ["reasoning", "message", "function_call"]
    assert response["output"][2]["arguments"] == '{"x":1}'
    assert (response["temperature"], response["store"], response["extra"]) == (0.5, False, 1)
    assert response["usage"]["input_tokens_details"] == {"cached_tokens": 4}
    assert found[0]["response"]["output"] == []


def test_writer__a_refusal__is_a_part_of_its_own() -> None:
    delta = ModelDelta("I cannot.", (), "content_filter", TokenUsage(1, 1), refusal=True)
    response = json.loads(ResponseWriter(answer_id="1", model="m", asked={}).whole(delta))
    assert response["status"] == "completed"
    assert response["output"][0]["content"] == [{"type": "refusal", "refusal": "I cannot."}]
