"""Under a hard budget: what a call may use is bounded, put into the body, and never charged beyond what was held."""

from __future__ import annotations

import json
from uuid import UUID

import pytest

from gateway.core.crypto import Secret
from gateway.engine.chat import ceilings, settlements
from gateway.platform.providers import prices
from gateway.platform.providers.attempts import Attempt
from gateway.platform.providers.entries import PLATFORM, Entry, Route
from gateway.platform.providers.openai_wire import OpenAIWire
from gateway.platform.providers.prices import Price
from gateway.platform.providers.types import Shape, TokenUsage
from tenants.types import OrgRef
from tests.factories.organizations import principal

REF = OrgRef(UUID(int=9), "t_9")
ACME = principal(REF).organization


def route(model: str) -> Route:
    wire = OpenAIWire(name="openai", base_url="https://own.example/v1", api_key=Secret("sk-x"), trusted=True)
    return Route(Entry(wire, PLATFORM, "openai"), model, f"openai/{model}", None, REF)


MINI, BIG = route("gpt-4o-mini"), route("gpt-4o")


@pytest.mark.parametrize("routes", [(MINI,), (BIG,), (MINI, BIG), (BIG, MINI)])
@pytest.mark.parametrize("prompt_bytes", [1, 900, 40_000])
def test_bound__over_every_target__covers_prompts_of_all_and_the_dearest_answer(routes, prompt_bytes):
    held = ceilings.bound(ACME, routes, prompt_bytes, 500)
    for answering in routes:
        others = [one for one in routes if one is not answering]
        charged = _charged(answering, TokenUsage(prompt_bytes, 500))
        charged += sum(_charged(one, TokenUsage(prompt_bytes, 0)) for one in others)
        assert charged <= held


def _charged(one: Route, usage: TokenUsage) -> int:
    return prices.price(one.entry.price_as, one.model, usage).charged_micros or 0


@pytest.mark.parametrize("micros", [0, 1, 40, 5_000, 1_000_000])
def test_affordable__largest_limit__fits_the_money_and_one_more_does_not(micros):
    routes = (MINI, BIG)
    tokens = ceilings.affordable(ACME, routes, 100, micros)
    assert tokens is not None
    if tokens:
        assert ceilings.bound(ACME, routes, 100, tokens) <= micros
    assert ceilings.bound(ACME, routes, 100, tokens + 1) > micros


@pytest.mark.parametrize(
    ("shape", "name"),
    [(Shape.CHAT, "max_tokens"), (Shape.RESPONSES, "max_output_tokens"), (Shape.MESSAGES, "max_tokens")],
)
def test_limited__body_without_a_limit__gets_one_and_keeps_the_rest(shape, name):
    body = b'{"model":"m", "messages":[{"content":"\\u00e4"}],"max_tokens":null,"x":1.50}'
    made = ceilings.limited(body, shape, 77)
    assert json.loads(made)[name] == 77
    assert b'"x":1.50' in made
    assert b"\\u00e4" in made
    assert b"null" not in made


def test_limited__shape_without_an_answer__keeps_its_bytes():
    assert ceilings.limited(b'{"input": "x"}', Shape.EMBEDDINGS, 5) == b'{"input": "x"}'


@pytest.mark.parametrize(
    ("body", "count"), [(b"{}", 1), (b'{"n": 4}', 4), (b'{"n": null}', 1), (b'{"n": "x"}', 1), (b'{"n": 4', 1)]
)
def test_copies__of_a_body__are_what_n_says(body, count):
    assert ceilings.copies(body) == count


@pytest.mark.parametrize("most", [0, 1, 7, 99, 120, 5_000])
def test_within__price_above_what_was_held__is_cut_and_still_adds_up(most):
    cut = settlements.within(Price(100, 20, 120, "v"), most)
    assert cut.charged_micros == min(120, most) == (cut.provider_cost_micros or 0) + (cut.markup_micros or 0)
    unpriced = Price(None, None, None, "unpriced")
    assert settlements.within(unpriced, most) is unpriced


def test_before__attempts_but_the_last__cost_only_where_work_may_have_been_done():
    made = [
        (MINI, Attempt(1, "upstream_error", 500, 12, 0)),
        (MINI, Attempt(2, "upstream_timeout", None, 900, 0)),
        (BIG, Attempt(1, "ok", None, 30, 0)),
    ]
    guesses = [settlements.guessed(attempt, 250) for _, attempt in made[:-1]]
    priced = [prices.price("openai", "gpt-4o-mini", usage) for usage in guesses]
    first, second = settlements.before(made[:-1], 250, priced, alias="a", stream=True)
    assert (first.attempt, first.status, first.outcome, first.charged_micros) == (1, 500, "upstream_error", 0)
    assert (second.attempt, second.status, second.prompt_tokens, second.usage_source) == (2, 504, 250, "partial")
    assert second.charged_micros > 0
    assert [one.counts_as_call for one in (first, second)] == [False, False]
