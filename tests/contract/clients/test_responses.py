"""The Responses API with the official OpenAI client for Python.

Each case runs over a provider that speaks it, one that resembles OpenAI without it, and Anthropic; as a pass-through
and as a persona's turn.
"""

from __future__ import annotations

import json
import time
from typing import Any
from uuid import uuid4

import openai
import pytest
from pydantic import BaseModel

from tests.contract.clients.support import FLAT, HELLO, USER, client, seen, tagged
from tests.harness import Gateway, eventually
from tests.surfaces.openai.support import DOT

NATIVE, PLAIN, THEIRS = "openai/fake:{}", "openai/fake:{},responses=0", "anthropic/fake:{}"
over_all = pytest.mark.parametrize("wire", [NATIVE, PLAIN, THEIRS], ids=["native", "chat", "anthropic"])
INCOMPLETE = ("response.completed", "response.incomplete")


class Trip(BaseModel):
    city: str
    days: int


@pytest.fixture(params=["plain", "persona"])
def subject(request: pytest.FixtureRequest) -> str | None:
    return f"python-{uuid4().hex[:12]}" if request.param == "persona" else None


@over_all
def test_create__buffered__is_a_response(front: Gateway, wire: str, subject: str | None) -> None:
    with client(front.acme, subject) as ai:
        answer = ai.responses.create(model=wire.format("normal,cached=2"), input="hello", instructions="Be brief.")
    assert (answer.object, answer.status, answer.output_text) == ("response", "completed", HELLO)
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens > 0
    assert answer.usage.input_tokens_details.cached_tokens == 2
    assert answer.model_dump()["store"] is False


@over_all
def test_stream__its_events__come_in_order(front: Gateway, wire: str, subject: str | None) -> None:
    with client(front.acme, subject) as ai:
        events = list(ai.responses.create(model=wire.format("normal"), input="hello", stream=True))
        with ai.responses.stream(model=wire.format("normal"), input="hello") as helper:
            final = helper.until_done().get_final_response()
    inner = [event.type for event in events if event.type != "response.output_text.delta"]
    assert inner == [
        "response.created", "response.in_progress", "response.output_item.added", "response.content_part.added",
        "response.output_text.done", "response.content_part.done", "response.output_item.done", "response.completed",
    ]  # fmt: skip
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert "".join(getattr(event, "delta", "") for event in events) == HELLO == final.output_text


@over_all
@pytest.mark.parametrize("stream", [False, True])
def test_tools__two_and_back__reach_the_caller_and_the_model(
    front: Gateway, upstream: Any, wire: str, subject: str | None, stream: bool
) -> None:
    _, tag = tagged("")
    with client(front.acme, subject) as ai:
        model = wire.format(f"tools,case=offered-parallel,tag={tag}")
        if stream:
            with ai.responses.stream(model=model, input=[USER], tools=FLAT) as helper:
                first: Any = helper.until_done().get_final_response()
        else:
            first = ai.responses.create(model=model, input=[USER], tools=FLAT)
        calls = [item for item in first.output if item.type == "function_call"]
        assert [(call.name, json.loads(call.arguments)) for call in calls] == [
            ("get_weather", {"city": "Berlin"}),
            ("get_time", {"city": "Berlin"}),
        ]
        history: list[Any] = [USER, *(call.to_dict() for call in calls)]
        history += [{"type": "function_call_output", "call_id": call.call_id, "output": "21 °C"} for call in calls]
        for call in history[1:3]:
            call.pop("parsed_arguments", None)
        second = ai.responses.create(model=wire.format(f"normal,tag={tag}"), input=history, tools=FLAT)
    assert second.output_text == HELLO
    told = json.dumps(seen(upstream, tag)[-1]["body"], ensure_ascii=False)
    assert told.count("21 °C") == 2
    assert all(told.count(call.call_id) == 2 for call in calls)


@over_all
def test_parse__a_schema__gives_the_object(front: Gateway, upstream: Any, wire: str, subject: str | None) -> None:
    _, tag = tagged("")
    model = wire.format(f"json,tag={tag}")
    with client(front.acme, subject) as ai:
        parsed = ai.responses.parse(model=model, input="hello", text_format=Trip)
        with ai.responses.stream(model=model, input="hello", text_format=Trip) as helper:
            streamed = helper.until_done().get_final_response()
    assert parsed.output_parsed == streamed.output_parsed == Trip(city="Berlin", days=3)
    assert all('"days"' in json.dumps(call["body"]) for call in seen(upstream, tag))


@over_all
def test_images__as_parts__reach_the_model(front: Gateway, upstream: Any, wire: str, subject: str | None) -> None:
    _, tag = tagged("")
    content = [{"type": "input_text", "text": "What?"}, {"type": "input_image", "image_url": DOT, "detail": "auto"}]
    with client(front.acme, subject) as ai:
        given: Any = [{"role": "user", "content": content}]
        ai.responses.create(model=wire.format(f"normal,tag={tag}"), input=given)
    assert DOT.partition(",")[2] in json.dumps(seen(upstream, tag)[-1]["body"])


@over_all
def test_length__cut_short__is_incomplete(front: Gateway, wire: str, subject: str | None) -> None:
    with client(front.acme, subject) as ai:
        answer = ai.responses.create(model=wire.format("length"), input="hello", max_output_tokens=20)
    assert answer.status == "incomplete"
    assert answer.incomplete_details is not None
    assert answer.incomplete_details.reason == "max_output_tokens"


@over_all
@pytest.mark.parametrize("scenario", ["error-mid", "cut", "break"])
def test_provider__breaks_off_in_the_middle__raises_and_never_completes(
    front: Gateway, wire: str, scenario: str, subject: str | None
) -> None:
    events: list[Any] = []
    with client(front.acme, subject) as ai, pytest.raises(openai.APIError) as raised:
        events.extend(ai.responses.create(model=wire.format(scenario), input="hello", stream=True))
    if subject is None:  # what a persona says first may still be held back, to be masked with what follows
        assert "response.output_text.delta" in {event.type for event in events}
    assert not {event.type for event in events} & set(INCOMPLETE)
    assert events[-1].type == "response.failed"
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert raised.value.code


@over_all
def test_client__hangs_up__reaches_the_provider_within_three_seconds(
    front: Gateway, upstream: Any, wire: str, subject: str | None
) -> None:
    _, tag = tagged("")
    with client(front.acme, subject) as ai:
        model = wire.format(f"delay,chunks=400,pace_ms=25,tag={tag}")
        with ai.responses.create(model=model, input="hello", stream=True) as events:
            for _ in range(6):
                next(events)
        left = time.monotonic()
        eventually(lambda: [one for one in seen(upstream, tag) if one["disconnected"]], within=3)
    assert time.monotonic() - left < 3


@pytest.mark.parametrize(
    ("model", "more", "kind", "code"),
    [
        ("nobody/nothing", {}, openai.NotFoundError, "model_not_found"),
        ("openai/fake:status,code=400", {}, openai.BadRequestError, "upstream_rejected"),
        ("openai/fake:status,code=429", {}, openai.RateLimitError, "upstream_rate_limited"),
        ("anthropic/fake:status,code=401", {}, openai.InternalServerError, "provider_auth_failed"),
        ("ikiro/sandbox", {"previous_response_id": "resp_1"}, openai.BadRequestError, "unsupported_parameter"),
        ("openai/fake:normal", {"previous_response_id": "resp_1"}, openai.BadRequestError, "unsupported_parameter"),
        ("openai/fake:normal", {"background": True}, openai.BadRequestError, "unsupported_parameter"),
        ("openai/fake:normal", {"tools": [{"type": "web_search"}]}, openai.BadRequestError, "unsupported_parameter"),
        ("ikiro/sandbox", {"input": []}, openai.BadRequestError, "invalid_request"),
    ],
)
def test_refusal__of_each_kind__is_the_clients_own_class(
    front: Gateway, model: str, more: dict[str, Any], kind: Any, code: str
) -> None:
    for stream in (False, True):
        with client(front.acme) as ai, pytest.raises(kind) as raised:
            ai.responses.create(**{"model": model, "input": "hello", "stream": stream, **more})
        assert raised.value.code == code


def test_stored_response__is_not_found__because_none_is_stored(front: Gateway) -> None:
    with client(front.acme) as ai:
        answer = ai.responses.create(model="ikiro/sandbox", input="hello")
        for call in (ai.responses.retrieve, ai.responses.delete):
            with pytest.raises(openai.NotFoundError, match="stores no answers") as raised:
                call(answer.id)
            assert raised.value.code == "response_not_stored"


def test_persona__its_extras__stand_beside_what_the_client_knows(front: Gateway) -> None:
    with client(front.acme, f"python-{uuid4().hex[:12]}") as ai:
        whole: Any = ai.responses.create(model="ikiro/sandbox", input="Remember that I like tea.")
        last: Any = list(ai.responses.create(model="ikiro/sandbox", input="hello", stream=True))[-1]
    assert [one["type"] for one in whole.model_extra["proposedWrites"]] == ["memory.upsert"]
    assert whole.model_extra["persona_id"] == "brand-default"
    assert last.response.model_extra["citations"] == []
