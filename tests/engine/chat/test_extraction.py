"""Our write tools' calls leave the answer, whatever fragments they came in; the caller's own stay whole and in
order.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.errors import BadRequest
from gateway.engine.chat.extraction import Extraction
from gateway.engine.chat.proposed import ProposedWrite, RejectedWrite
from gateway.engine.chat.write_tools import WRITE_TOOLS, refuse_reserved
from gateway.platform.providers.types import ModelDelta, TokenUsage, ToolCallDelta

UPSERT, WRITE = "ikiro_memory_upsert", "ikiro_propose_write"
MEMORY = {"text": "Alex moved to Berlin", "type": "fact", "slot": "home.city", "confidence": 0.9}
EVENT = {"type": "calendar.create", "payload": {"title": "Dinner", "when": "Friday"}, "confidence": 0.8}
MEMORY_WRITE = ProposedWrite(
    "memory.upsert", {"text": "Alex moved to Berlin", "type": "fact", "slot": "home.city"}, 0.9, "call_a"
)
EVENT_WRITE = ProposedWrite("calendar.create", {"title": "Dinner", "when": "Friday"}, 0.8, "call_b")


def call(index: int, call_id: str | None = None, name: str | None = None, arguments: Any = "") -> ModelDelta:
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return ModelDelta(tool_calls=(ToolCallDelta(index, call_id, name, text),))


def rebuilt(fragments: list[dict[str, Any]]) -> list[tuple[str | None, str, str]]:
    """What a client that follows the protocol makes of the fragments it is shown."""
    calls: dict[int, list[Any]] = {}
    for fragment in fragments:
        if fragment["index"] not in calls:
            calls[fragment["index"]] = [fragment["id"], fragment["function"]["name"], fragment["function"]["arguments"]]
        else:
            assert set(fragment) == {"index", "function"}
            calls[fragment["index"]][2] += fragment["function"]["arguments"]
    assert list(calls) == list(range(len(calls)))
    return [tuple(values) for values in calls.values()]


def run(*deltas: ModelDelta) -> tuple[Extraction, str, list[dict[str, Any]]]:
    extraction, text, shown = Extraction(), "", []
    for delta in deltas:
        visible = extraction.feed(delta)
        text += visible.content or ""
        shown += visible.tool_calls
    shown += extraction.finish()
    whole = [(one["id"], one["function"]["name"], one["function"]["arguments"]) for one in extraction.tool_calls]
    assert rebuilt(shown) == whole
    return extraction, text, shown


END = ModelDelta(finish_reason="tool_calls")


def test_extraction__our_call_in_one_delta__is_a_write_and_nothing_is_shown():
    extraction, text, shown = run(
        ModelDelta("Noted."), call(0, "call_a", UPSERT, MEMORY), END, ModelDelta(usage=TokenUsage(7, 3))
    )
    assert (extraction.writes, extraction.rejected) == ((MEMORY_WRITE,), ())
    assert (text, shown, extraction.finish_reason, extraction.usage) == ("Noted.", [], "stop", TokenUsage(7, 3))


def test_extraction__mixed_with_the_callers_tools__shows_only_his_numbered_from_zero():
    extraction, _, shown = run(
        call(0, "call_a", UPSERT),
        call(1, "call_x", "lookup"),
        call(2, "call_b", WRITE),
        call(3, "call_y", "ikiro_memory_upsert_all"),
        call(1, arguments='{"city"'),
        call(0, arguments=json.dumps(MEMORY)),
        call(3, arguments="{}"),
        call(2, arguments=EVENT),
        call(1, arguments=':"Rome"}'),
        END,
    )
    assert extraction.writes == (MEMORY_WRITE, EVENT_WRITE)
    assert rebuilt(shown) == [("call_x", "lookup", '{"city":"Rome"}'), ("call_y", "ikiro_memory_upsert_all", "{}")]
    assert extraction.finish_reason == "tool_calls"
    assert "ikiro_propose" not in json.dumps(shown)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_extraction__any_fragments_in_any_interleaving__gives_the_same_result(data):
    wanted = [
        ("call_a", UPSERT, json.dumps(MEMORY)),
        ("call_x", "lookup", '{"a": [1, 2]}'),
        ("call_b", WRITE, json.dumps(EVENT)),
        ("call_y", "ikiro_mem", '{"b": "ü"}'),
    ]
    queues = []
    for index, (call_id, name, arguments) in enumerate(wanted):
        cuts = sorted(data.draw(st.lists(st.integers(0, len(arguments)), max_size=6)))
        names = data.draw(st.integers(0, len(name)))
        queue = (
            [call(index, call_id, name[:names]), call(index, None, name[names:])]
            if names
            else [call(index, call_id, name)]
        )
        queue += [
            call(index, arguments=arguments[a:b]) for a, b in zip([0, *cuts], [*cuts, len(arguments)], strict=True)
        ]
        queues.append(queue)
    deltas = []
    while any(queues):
        index = data.draw(st.sampled_from([at for at, queue in enumerate(queues) if queue]))
        deltas.append(queues[index].pop(0))
    extraction, _, shown = run(*deltas, END)
    assert {write.type: write for write in extraction.writes} == {
        "memory.upsert": MEMORY_WRITE,
        "calendar.create": EVENT_WRITE,
    }
    assert sorted(rebuilt(shown)) == [("call_x", "lookup", '{"a": [1, 2]}'), ("call_y", "ikiro_mem", '{"b": "ü"}')]


@pytest.mark.parametrize(
    ("name", "arguments", "reason"),
    [
        (UPSERT, '{"text": "half', "malformed_json"),
        (UPSERT, "", "malformed_json"),
        (UPSERT, '{"text": "x", "confidence": NaN}', "malformed_json"),
        (UPSERT, "[" * 100_000, "too_large"),
        (UPSERT, "[" * 50_000, "malformed_json"),
        (UPSERT, "[]", "not_an_object"),
        (UPSERT, {"confidence": 1}, "missing_text"),
        (UPSERT, {"text": "  "}, "missing_text"),
        (UPSERT, {"text": 5}, "missing_text"),
        (UPSERT, {"text": "x" * 4001}, "text_too_long"),
        (UPSERT, {"text": "x", "confidence": "high"}, "invalid_confidence"),
        (UPSERT, {"text": "x", "confidence": True}, "invalid_confidence"),
        (WRITE, {"payload": {}}, "invalid_type"),
        (WRITE, {"type": "Not A Type", "payload": {}}, "invalid_type"),
        (WRITE, {"type": "calendar.create", "payload": "Dinner"}, "invalid_payload"),
        (WRITE, {"type": "memory.upsert", "payload": {}}, "missing_text"),
    ],
)
def test_extraction__our_call_that_says_nothing_usable__is_rejected_with_the_reason(name, arguments, reason):
    extraction, _, shown = run(call(0, "call_a", name, arguments), call(1, "call_b", WRITE, EVENT), END)
    assert extraction.rejected == (RejectedWrite(name, "call_a", reason),)
    assert (extraction.writes, shown) == ((EVENT_WRITE,), [])


def test_extraction__unknown_and_odd_fields__are_dropped_and_named():
    odd = {
        "text": " x ",
        "type": "poem",
        "slot": "",
        "occurred_at": "yesterday",
        "mood": 1,
        "confidence": 7,
        "memory": "[m2]",
    }
    extraction, _, _ = run(call(0, "call_a", UPSERT, odd), END)
    assert extraction.writes == (
        ProposedWrite("memory.upsert", {"text": "x", "type": "fact"}, 1.0, "call_a", 2, ("mood",)),
    )


def test_extraction__a_date_without_an_offset__is_taken_as_utc():
    extraction, _, _ = run(
        call(0, "c", UPSERT, {"text": "x", "occurred_at": "2026-03-01", "value": {"city": "Berlin"}}), END
    )
    assert extraction.writes[0].payload == {
        "text": "x",
        "type": "fact",
        "occurred_at": "2026-03-01T00:00:00+00:00",
        "value": {"city": "Berlin"},
    }


def test_extraction__memory_proposed_through_the_general_tool__is_the_same_write():
    extraction, _, _ = run(
        call(0, "call_a", WRITE, {"type": "memory.upsert", "payload": MEMORY, "confidence": 0.9}), END
    )
    assert extraction.writes == (MEMORY_WRITE,)


def test_extraction__same_id_twice__takes_the_first():
    extraction, _, _ = run(call(0, "call_a", UPSERT, MEMORY), call(1, "call_a", UPSERT, MEMORY), END)
    assert (extraction.writes, extraction.rejected) == (
        (MEMORY_WRITE,),
        (RejectedWrite(UPSERT, "call_a", "duplicate_id"),),
    )


def test_extraction__parallel_calls_all_numbered_zero__are_told_apart_by_id():
    extraction, _, shown = run(
        call(0, "call_a", UPSERT, MEMORY), call(0, "call_x", "lookup", "{}"), call(0, "call_b", WRITE, EVENT), END
    )
    assert (extraction.writes, rebuilt(shown)) == ((MEMORY_WRITE, EVENT_WRITE), [("call_x", "lookup", "{}")])


def test_extraction__name_repeated_in_every_fragment__is_one_name():
    text = json.dumps(MEMORY)
    extraction, _, _ = run(*(call(0, "call_a", UPSERT, text[at : at + 9]) for at in range(0, len(text), 9)), END)
    assert extraction.writes == (MEMORY_WRITE,)


def test_extraction__callers_call_without_arguments__is_shown_with_the_finish():
    extraction = Extraction()
    extraction.feed(call(0, "call_x", "ikiro"))
    shown = list(extraction.feed(END).tool_calls)
    assert (extraction.finish(), rebuilt(shown), extraction.writes, extraction.finish_reason) == (
        (),
        [("call_x", "ikiro", "")],
        (),
        "tool_calls",
    )


def test_extraction__thirty_writes__keeps_twenty():
    extraction, _, _ = run(*(call(at, f"c{at}", UPSERT, {"text": f"t{at}"}) for at in range(30)), END)
    assert (len(extraction.writes), {one.reason for one in extraction.rejected}) == (20, {"too_many"})


def test_extraction__cut_off_by_length__says_so():
    extraction, _, _ = run(call(0, "call_a", UPSERT, '{"text": "x'), ModelDelta(finish_reason="length"))
    assert (extraction.finish_reason, extraction.writes) == ("length", ())


def test_write_tools__caller_uses_our_name__is_refused_naming_the_field():
    with pytest.raises(BadRequest) as caught:
        refuse_reserved(
            ({"type": "function", "function": {"name": "mine"}}, {"type": "function", "function": {"name": UPSERT}})
        )
    assert (caught.value.code, caught.value.problems[0].pointer) == ("tool_name_reserved", "/tools/1/function/name")
    refuse_reserved(({"type": "function", "function": {"name": "mine"}}, {"type": "custom"}, {"function": None}))


def test_write_tools__definitions__are_functions_whose_parameters_are_closed_schemas():
    assert [tool["function"]["name"] for tool in WRITE_TOOLS] == [UPSERT, WRITE]
    assert all(tool["function"]["parameters"]["additionalProperties"] is False for tool in WRITE_TOOLS)
