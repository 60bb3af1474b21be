"""The caller's messages: what is taken in, what is masked, what they weigh. And which tools the model is offered."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.core.errors import BadRequest
from gateway.engine.chat import messages, tools
from gateway.engine.chat.write_tools import OWN_NAMES, WRITE_TOOLS
from gateway.governance.policies.redaction import redact
from gateway.governance.policies.types import RedactMode

IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 50_000, "detail": "low"}}
LOOKUP = {"type": "function", "function": {"name": "lookup", "parameters": {"type": "object"}}}
OTHER = {"type": "function", "function": {"name": "other"}}
NAMED = {"type": "function", "function": {"name": "lookup"}}


def text(said: str) -> dict[str, Any]:
    return {"type": "text", "text": said}


def test_accepted__explicit_nulls__are_left_out_except_content() -> None:
    sent = {"role": "assistant", "content": None, "refusal": None, "tool_calls": None, "audio": None, "name": "ada"}
    assert messages.accepted([sent]) == ({"role": "assistant", "content": None, "name": "ada"},)


def test_accepted__text_and_images__stay_as_they_are() -> None:
    sent = {"role": "user", "content": [text("what is this?"), IMAGE]}
    assert messages.accepted([sent]) == (sent,)


@pytest.mark.parametrize(
    ("message", "pointer", "code"),
    [
        ({"content": "x"}, "/messages/0/role", "invalid_request"),
        ({"role": "function", "content": "x"}, "/messages/0/role", "invalid_request"),
        ({"role": "user", "content": 7}, "/messages/0/content", "invalid_request"),
        ({"role": "user", "content": ["x"]}, "/messages/0/content/0", "invalid_request"),
        ({"role": "user", "content": [{"type": "text"}]}, "/messages/0/content/0/text", "invalid_request"),
        (
            {"role": "user", "content": [{"type": "image_url", "image_url": "https://x"}]},
            "/messages/0/content/0/image_url",
            "invalid_request",
        ),
        ({"role": "assistant", "tool_calls": {}}, "/messages/0/tool_calls", "invalid_request"),
        (
            {"role": "user", "content": [text("x"), {"type": "input_audio", "input_audio": {}}]},
            "/messages/0/content/1/type",
            "unsupported_parameter",
        ),
        ({"role": "assistant", "audio": {"id": "a"}}, "/messages/0/audio", "unsupported_parameter"),
    ],
)
def test_accepted__what_no_persona_takes_in__is_refused_by_place(
    message: dict[str, Any], pointer: str, code: str
) -> None:
    with pytest.raises(BadRequest) as refused:
        messages.accepted([message])
    assert (refused.value.problems[0].pointer, refused.value.code) == (pointer, code)


def masked(message: messages.Message, mode: RedactMode = RedactMode.STRICT) -> messages.Message:
    return messages.mapped(message, lambda text: redact(text, mode), str)


def test_masked__strict__masks_every_text_and_nothing_else() -> None:
    arguments = json.dumps({"to": "ada@example.org", "copies": 2})
    call = {"id": "c1", "type": "function", "function": {"name": "mail", "arguments": arguments}}
    sent = (
        {"role": "system", "content": "Write to team@example.org"},
        {"role": "user", "content": [text("I am ada@example.org"), IMAGE]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "sent to ada@example.org"},
    )
    system, user, assistant, tool = map(masked, sent)
    assert system["content"] == "Write to [email]"
    assert user["content"] == [text("I am [email]"), IMAGE]
    (shown,) = assistant["tool_calls"]
    assert json.loads(shown["function"]["arguments"]) == {"to": "[email]", "copies": 2}
    assert (shown["id"], assistant["content"]) == ("c1", None)
    assert tool == {"role": "tool", "tool_call_id": "c1", "content": "sent to [email]"}


@pytest.mark.parametrize("arguments", ['{"a": 1,  "b": "c"}', "not json", ""])
def test_masked__arguments_with_nothing_to_hide__keep_their_bytes(arguments: str) -> None:
    call = {"id": "c", "function": {"name": "f", "arguments": arguments}}
    shown = masked({"role": "assistant", "content": None, "tool_calls": [call]})
    assert shown["tool_calls"] == [call]


def test_mapped__fields_that_only_some_model_knows__are_texts_and_what_names_something_is_not() -> None:
    mail, sent = "ada@example.org", '{"ada@example.org": [4111111111111111, "x"]}'
    names: list[str] = []
    shown = messages.mapped(
        {
            "role": "assistant", "name": mail, "reasoning_content": mail, "seen": [{"by": mail, "signature": mail}],
            "function_call": {"name": "f", "arguments": sent}, "content": [{"type": "refusal", "refusal": mail}],
            "tool_calls": [{"id": mail, "type": "function", "function": {"name": mail, "arguments": sent}}],
        },
        lambda text: redact(text, RedactMode.STRICT),
        lambda name: names.append(name) or name,  # type: ignore[func-returns-value]
    )  # fmt: skip
    arguments = '{"[email]": ["[card]", "x"]}'
    assert shown == {
        "role": "assistant", "name": "[email]", "reasoning_content": "[email]",
        "seen": [{"by": "[email]", "signature": mail}], "function_call": {"name": "f", "arguments": arguments},
        "content": [{"type": "refusal", "refusal": "[email]"}],
        "tool_calls": [{"id": mail, "type": "function", "function": {"name": mail, "arguments": arguments}}],
    }  # fmt: skip
    assert names == ["f", mail, mail]
    assert masked({"role": "tool", "name": mail, "content": mail}) == {
        "role": "tool",
        "name": mail,
        "content": "[email]",
    }


def test_prompt_bytes__of_an_image__are_not_the_bytes_it_is_made_of() -> None:
    composed = [{"role": "system", "content": "x" * 1_000}, {"role": "user", "content": [text("what?"), IMAGE]}]
    assert messages.prompt_bytes(composed, body_bytes=50_400) == 1_005 + 4_000
    assert messages.prompt_bytes(composed[:1], body_bytes=2_000) == 2_000


def test_offer__without_a_wish__adds_ours() -> None:
    assert tools.offer((LOOKUP,), None, offers_writes=True) == tools.Offer((LOOKUP, *WRITE_TOOLS), None, writes=True)
    assert tools.offer((LOOKUP,), "auto", offers_writes=True).choice == "auto"
    assert tools.offer((), "auto", offers_writes=True) == tools.Offer(WRITE_TOOLS, None, writes=True)


@pytest.mark.parametrize("choice", ["required", NAMED])
def test_offer__a_call_is_demanded__ours_cannot_stand_in_for_it(choice: Any) -> None:
    assert tools.offer((LOOKUP,), choice, offers_writes=True) == tools.Offer((LOOKUP,), choice, writes=False)


def test_offer__none__takes_the_callers_tools_away_and_leaves_ours() -> None:
    assert tools.offer((LOOKUP,), "none", offers_writes=True) == tools.Offer(WRITE_TOOLS, None, writes=True)


def test_offer__allowed_tools__ours_join_them_when_nothing_is_demanded() -> None:
    allowed = {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [NAMED]}}
    offered = tools.offer((LOOKUP, OTHER), allowed, offers_writes=True)
    assert isinstance(offered.choice, dict)
    names = [tool["function"]["name"] for tool in offered.choice["allowed_tools"]["tools"]]
    assert names == ["lookup", *sorted(OWN_NAMES)]
    required = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [NAMED]}}
    assert tools.offer((LOOKUP,), required, offers_writes=True) == tools.Offer((LOOKUP,), required, writes=False)


def test_offer__proposals_are_off__is_the_callers_own() -> None:
    assert tools.offer((LOOKUP,), "none", offers_writes=False) == tools.Offer((LOOKUP,), "none", writes=False)
    assert tools.offer((), "none", offers_writes=False) == tools.Offer((), None, writes=False)


@pytest.mark.parametrize(
    ("offered", "choice", "pointer"),
    [
        ((), "required", "/tool_choice"),
        ((), NAMED, "/tool_choice"),
        ((LOOKUP,), "sometimes", "/tool_choice"),
        ((OTHER,), NAMED, "/tool_choice"),
        ((LOOKUP,), {"type": "custom"}, "/tool_choice/type"),
        ((LOOKUP,), {"type": "allowed_tools", "allowed_tools": {}}, "/tool_choice/allowed_tools"),
        ((LOOKUP,), {"type": "function", "function": {"name": "ikiro_propose_write"}}, "/tool_choice"),
        (({"type": "web_search"},), None, "/tools/0/type"),
        (({"type": "function", "function": "lookup"},), None, "/tools/0/function"),
        (({"type": "function", "function": {"name": "ikiro_propose_write"}},), None, "/tools/0/function/name"),
    ],
)  # fmt: skip
def test_check__tools_and_choices_that_do_not_fit__are_refused_by_place(
    offered: Any, choice: Any, pointer: str
) -> None:
    with pytest.raises(BadRequest) as refused:
        tools.check(offered, choice, offers_writes=True)
    assert refused.value.problems[0].pointer == pointer
