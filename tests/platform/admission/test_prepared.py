"""Prepared commands are the very commands that the services send."""

from __future__ import annotations

import json
from dataclasses import replace
from uuid import UUID

import hiredis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core import ids
from gateway.core.template import Marks
from gateway.core.valkey.packing import pack
from gateway.platform.admission import entries
from gateway.platform.admission.keys import of_org
from gateway.platform.admission.limits import Kind, Level, Limit, applied
from gateway.platform.admission.prepared import (
    PreparedAdmission,
    PreparedSettlement,
    call_in,
    marked_lease,
    possible,
)
from gateway.platform.admission.scripts import ADMIT, SETTLE
from gateway.platform.admission.services.admit import arguments
from gateway.platform.admission.services.settle import call_of
from gateway.platform.admission.types import AdmissionRequest, LeaseDraft, Settlement

ORGS = [UUID(int=0x0190_0000_0000_7000_8000_0000_0000_0000 + at) for at in (1, 2)]
LIMITS = [
    Limit("plan", Level.ORGANIZATION, Kind.REQUESTS, 60, 60),
    Limit("key", Level.KEY, Kind.REQUESTS, 10, 1, "kkey"),
    Limit("plan", Level.ORGANIZATION, "calls", 1000, "month"),
    Limit("rule", Level.ORGANIZATION, Kind.TOKENS, 9000, 60),
]
_COUNT = st.integers(0, 2**40)


def _request(org: UUID) -> AdmissionRequest:
    draft = LeaseDraft(facts={"surface": "openai", "model": "a/100%", "provider": "ü", "persona_id": None})
    return AdmissionRequest(
        org, ids.uuid7(), ids.uuid7(), applied(LIMITS, ["o", "kkey"]), counts_as_call=True, lease=draft
    )


def _reply(left: list[int]) -> list[object]:
    numbers = [word for at, one in enumerate(left) for word in (0, one, 1500 + at, 0, 3 + at, 4 + at)]
    return [0, 0, 1_790_000_000_000, b"202609", b"20260921", *numbers]


@given(org=st.sampled_from(ORGS), estimate=_COUNT, tokens=_COUNT)
def test_admission__prepared__is_the_command_of_the_service(org: UUID, estimate: int, tokens: int) -> None:
    example = _request(org)
    prepared = PreparedAdmission(example)
    request_id = ids.uuid7()
    assert example.lease is not None
    asked = replace(
        example, request_id=request_id, lease=replace(example.lease, estimate_micros=estimate, tokens=tokens)
    )
    words = arguments("admit", asked, prepared._ttl_s)
    wanted = pack(("EVALSHA", ADMIT.sha, 1, of_org(org).base, *words))
    assert prepared.command(str(request_id).encode(), estimate, tokens) == wanted
    lease = prepared.lease(request_id, _reply([5, 5, 5, 5]), estimate, tokens)
    assert (lease.org_id, lease.request_id, lease.estimate_micros, lease.tokens) == (org, request_id, estimate, tokens)


@given(org=st.sampled_from(ORGS), prompt=st.integers(0, 2**31 - 1), spoken=st.integers(0, 2**31 - 1), cost=_COUNT)
def test_settlement__prepared__is_the_command_of_the_service(org: UUID, prompt: int, spoken: int, cost: int) -> None:
    prepared = PreparedAdmission(_request(org))
    request_id, markup = ids.uuid7(), cost // 5

    def settled(prompt_tokens: int, completion_tokens: int, micros: tuple[int, int], at: float) -> Settlement:
        return Settlement(
            200, "ok", "a/100%", "ü", prompt_tokens=prompt_tokens, completion_tokens=completion_tokens,
            provider_cost_micros=micros[0], markup_micros=micros[1], charged_micros=sum(micros),
            record={"decisions": [{"stage": "auth", "at_ms": at, "note": "%d"}]},
        )  # fmt: skip

    marks = Marks()
    micros = marks.whole("cost"), marks.whole("markup")
    marks.also(str(sum(micros)), "%(charged)d")
    lease = prepared.lease(request_id, _reply([5, 5, 5, 5]), 10, 20)
    example = settled(marks.whole("prompt"), marks.whole("completion"), micros, marks.tenth("at"))
    made = PreparedSettlement(marked_lease(lease, marks), example, marks).command({
        b"request": str(request_id).encode(), b"month": b"202609", b"day": b"20260921", b"prompt": prompt,
        b"completion": spoken, b"cost": cost, b"markup": markup, b"charged": cost + markup, b"at": 1.5,
    })  # fmt: skip
    call = call_of(lease, settled(prompt, spoken, (cost, markup), 1.5), ())
    assert made == pack(("EVALSHA", SETTLE.sha, 1, *call.keys, *call.args))
    assert call_in(made) == call
    reader = hiredis.Reader()
    reader.feed(made)
    assert json.loads(reader.gets()[-1])["org_id"] == str(org)


@given(left=st.lists(st.integers(0, 50), min_size=4, max_size=4))
def test_opened__reply__tells_of_the_request_rate_with_the_least_left(left: list[int]) -> None:
    opened = PreparedAdmission(_request(ORGS[0])).opened(_reply(left))
    assert opened is not None
    nearest = 1 if left[1] < left[0] else 0
    assert (opened.nearest, opened.remaining, opened.limit) == (nearest, left[nearest], LIMITS[nearest].limit)
    assert opened.reset_ms == 1500 + nearest


def test_opened__anything_but_yes__is_none() -> None:
    prepared = PreparedAdmission(_request(ORGS[0]))
    for code in (1, 2):
        assert prepared.opened([code, 1, *_reply([5, 5, 5, 5])[2:]]) is None


@pytest.mark.parametrize("more", [0, 40])
def test_marked__numbers__are_those_of_the_reply(more: int) -> None:
    rules = [Limit(f"rule_{at}", Level.ORGANIZATION, Kind.TOKENS, 9000 + at, 60) for at in range(more)]
    request = replace(_request(ORGS[0]), applied=applied([*LIMITS, *rules], ["o", "kkey"]))
    prepared, marks = PreparedAdmission(request), Marks()
    states = prepared.marked(marks, 1)
    assert min(state.left for state in states if state.limit.kind == Kind.REQUESTS) == states[1].left
    reply = _reply([9, 8, 7, 6, *range(more)])
    template = marks.template(entries.encode([state.facts() for state in states]))
    assert template.fill(prepared.numbers(reply)) == entries.encode([state.facts() for state in prepared.states(reply)])


def test_possible__limits_that_say_more_than_yes_or_no__are_not() -> None:
    money = Limit("rule", Level.ORGANIZATION, Kind.BUDGET, 5, "month")
    assert possible(applied(LIMITS))
    assert not possible(applied([*LIMITS, money]))
    assert not possible(applied([*LIMITS, replace(money, hard=False)]))
    assert not possible(applied([replace(LIMITS[0], shadow=True), *LIMITS[1:]]))
    assert not possible(applied(LIMITS[2:]))
