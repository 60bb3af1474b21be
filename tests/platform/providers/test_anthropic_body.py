"""OpenAI's requests in Anthropic's terms: what is translated, what is left out, and what is refused by name."""

from __future__ import annotations

import pytest

from gateway.platform.providers.anthropic_wire.body import translated
from gateway.platform.providers.anthropic_wire.schemas import accepted_schema
from gateway.platform.providers.errors import UpstreamRejected
from gateway.platform.providers.types import ModelRequest
from tests.without_django import ensure_settings

ensure_settings()
HI = {"role": "user", "content": "hi"}
TOOL = {"type": "function", "function": {"name": "lookup", "description": "Find.", "parameters": {"type": "object"}}}
OTHER = {"type": "function", "function": {"name": "weather"}}
PIXEL = "data:image/png;base64,iVBORw0KGgo="


def text(value: str) -> dict[str, str]:
    return {"type": "text", "text": value}


def body(*messages, tools=(), tool_choice=None, **params):
    return translated(ModelRequest("claude", messages or (HI,), tuple(tools), tool_choice, params))


def call(call_id: str, name: str = "lookup", arguments: str = "{}") -> dict:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def test_body__plain_question__has_the_default_limit_and_nothing_else():
    assert body() == {"model": "claude", "messages": [{"role": "user", "content": [text("hi")]}], "max_tokens": 8192}


def test_body__roles__are_merged_so_that_they_alternate():
    found = body(
        {"role": "system", "content": "one"},
        {"role": "user", "content": "a"},
        {"role": "user", "content": [{"type": "text", "text": "b"}, {"type": "text", "text": "  "}]},
        {"role": "developer", "content": [{"type": "text", "text": "two"}]},
        {"role": "assistant", "content": None},
        {"role": "assistant", "content": "c"},
        {"role": "assistant", "content": "d"},
        {"role": "user", "content": ""},
    )
    assert found["system"] == [text("one"), text("two")]
    assert found["messages"] == [
        {"role": "user", "content": [text("a"), text("b")]},
        {"role": "assistant", "content": [text("c"), text("d")]},
    ]


def test_body__conversation_that_begins_with_the_assistant__gets_an_opening():
    found = body({"role": "assistant", "content": "Welcome! \n"})
    assert [turn["role"] for turn in found["messages"]] == ["user", "assistant"]
    assert found["messages"][1]["content"] == [text("Welcome!")]
    assert [turn["role"] for turn in body({"role": "system", "content": "x"})["messages"]] == ["user"]


def test_body__tool_calls_and_their_results__stand_as_blocks_with_safe_ids():
    found = body(
        HI,
        {"role": "assistant", "content": "Looking.", "tool_calls": [
            call("call:1", arguments='{"city": "Berlin"}'), call("call_2", "weather", '{"cut')]},
        {"role": "tool", "tool_call_id": "call:1", "content": "12 °C"},
        {"role": "tool", "tool_call_id": "call_2", "content": [{"type": "image_url", "image_url": {"url": PIXEL}}]},
        {"role": "user", "content": "and?"},
    )  # fmt: skip
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}
    assert found["messages"][1:] == [
        {
            "role": "assistant",
            "content": [
                text("Looking."),
                {"type": "tool_use", "id": "call_1", "name": "lookup", "input": {"city": "Berlin"}},
                {"type": "tool_use", "id": "call_2", "name": "weather", "input": {"arguments": '{"cut'}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "call_1", "content": [text("12 °C")]},
                {"type": "tool_result", "tool_use_id": "call_2", "content": [image]},
                text("and?"),
            ],
        },
    ]
    # No tools in this turn, but those of the conversation must be known.
    assert [tool["name"] for tool in found["tools"]] == ["lookup", "weather"]
    assert found["tool_choice"] == {"type": "none"}


def test_body__functions_of_old__are_tools_too():
    old = {"role": "assistant", "content": None, "function_call": {"name": "lookup", "arguments": "{}"}}
    found = body(HI, old, {"role": "function", "name": "lookup", "content": "12"})
    assert (
        found["messages"][1]["content"][0]["id"] == found["messages"][2]["content"][0]["tool_use_id"] == "call_lookup"
    )


@pytest.mark.parametrize(
    ("choice", "parallel", "expected"),
    [
        (None, None, None),
        ("auto", None, {"type": "auto"}),
        ("none", False, {"type": "none"}),
        ("required", None, {"type": "any"}),
        ({"type": "function", "function": {"name": "lookup"}}, None, {"type": "tool", "name": "lookup"}),
        (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
        ("required", False, {"type": "any", "disable_parallel_tool_use": True}),
        ("required", True, {"type": "any"}),
    ],
)
def test_body__tool_choice__is_said_in_their_words(choice, parallel, expected):
    found = body(tools=[TOOL, OTHER], tool_choice=choice, parallel_tool_calls=parallel)
    assert found.get("tool_choice") == expected
    assert found["tools"] == [
        {"name": "lookup", "description": "Find.", "input_schema": {"type": "object"}},
        {"name": "weather", "input_schema": {"type": "object"}},
    ]
    assert "tool_choice" not in body(tool_choice=choice, parallel_tool_calls=parallel)


def test_body__allowed_tools__are_all_that_is_offered():
    wanted = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [OTHER]}}
    found = body(tools=[TOOL, OTHER], tool_choice=wanted)
    assert ([tool["name"] for tool in found["tools"]], found["tool_choice"]) == (["weather"], {"type": "any"})


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"max_tokens": 9}, {"max_tokens": 9}),
        ({"max_tokens": 9, "max_completion_tokens": 7}, {"max_tokens": 7}),
        ({"max_tokens": None}, {}),
        ({"temperature": 0.2}, {"temperature": 0.2}),
        ({"temperature": 2}, {"temperature": 1}),
        ({"temperature": 1, "top_p": 1}, {}),
        ({"temperature": 0, "top_p": 0.5}, {"temperature": 0}),
        ({"top_p": 0.5}, {"top_p": 0.5}),
        ({"stop": "END"}, {"stop_sequences": ["END"]}),
        ({"stop": ["a", " ", "b"]}, {"stop_sequences": ["a", "b"]}),
        ({"stop": None}, {}),
        ({"user": "u_1"}, {"metadata": {"user_id": "u_1"}}),
        ({"metadata": {"sandbox.reply": "x"}, "seed": 1, "logit_bias": {}, "n": 1, "presence_penalty": 1}, {}),
        ({"response_format": {"type": "text"}}, {}),
        ({"response_format": {"type": "json_object"}},
         {"system": [text("Answer with one JSON object and nothing else.")]}),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}},
         {"output_config": {"format": {"type": "json_schema",
                                       "schema": {"type": "object", "additionalProperties": False}}}}),
    ],
)  # fmt: skip
def test_body__parameters__are_translated_or_left_out(params, expected):
    plain = {"model": "claude", "messages": [{"role": "user", "content": [text("hi")]}], "max_tokens": 8192}
    assert body(**params) == {**plain, **expected}


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"type": "image_url", "image_url": {"url": "https://x.example/a.png", "detail": "low"}},
         {"type": "image", "source": {"type": "url", "url": "https://x.example/a.png"}}),
        ({"type": "image_url", "image_url": "https://x.example/a.png"},
         {"type": "image", "source": {"type": "url", "url": "https://x.example/a.png"}}),
        ({"type": "image_url", "image_url": {"url": PIXEL}},
         {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}),
        ({"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERi0=", "filename": "a.pdf"}},
         {"type": "document", "title": "a.pdf",
          "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}}),
        ({"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
         {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}),
    ],
)  # fmt: skip
def test_body__content_parts__become_blocks(part, expected):
    assert body({"role": "user", "content": [part]})["messages"][0]["content"] == [expected]


@pytest.mark.parametrize(
    ("messages", "tools", "where"),
    [
        ([{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}], [], "messages[0].content[0]"),
        ([{"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]}], [], "messages[0].content[0]"),
        ([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/svg+xml;base64,x"}}]}],
         [], "messages[0].content[0]"),
        ([{"role": "user", "content": [7]}], [], "messages[0].content[0]"),
        ([{"role": "system", "content": [{"type": "image_url", "image_url": {"url": PIXEL}}]}], [], "messages[0]"),
        ([{"role": "robot", "content": "x"}], [], "messages[0]"),
        ([HI, {"role": "assistant", "tool_calls": [{"id": "1", "function": {}}]}], [], "messages[1]"),
        ([HI], [{"type": "web_search"}], "tools[0]"),
    ],
)  # fmt: skip
def test_body__what_the_model_could_not_see__is_refused_by_name(messages, tools, where):
    with pytest.raises(UpstreamRejected) as caught:
        body(*messages, tools=tools)
    assert (caught.value.http_status, caught.value.detail.partition(": ")[0].partition(" is ")[0]) == (400, where)


def test_schema__bounds_and_open_objects__become_what_is_accepted():
    given = {
        "type": "object",
        "properties": {
            "age": {"type": "integer", "minimum": 0, "maximum": 150, "description": "In years."},
            "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}, "minItems": 1, "maxItems": 3},
            "either": {"oneOf": [{"type": "object", "properties": {}}, {"type": "null"}]},
        },
        "required": ["age"],
        "additionalProperties": True,
        "$defs": {"tag": {"type": "string", "maxLength": 9}},
    }
    assert accepted_schema(given) == {
        "type": "object",
        "properties": {
            "age": {"type": "integer", "description": "In years.\n(minimum: 0; maximum: 150)"},
            "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}, "minItems": 1, "description": "(maxItems: 3)"},
            "either": {
                "anyOf": [{"type": "object", "properties": {}, "additionalProperties": False}, {"type": "null"}]
            },
        },
        "required": ["age"],
        "additionalProperties": False,
        "$defs": {"tag": {"type": "string", "description": "(maxLength: 9)"}},
    }
