"""Micro-dollars: exact, rounded once, never 0 for want of a price."""

from __future__ import annotations

from decimal import Decimal

import pytest
from genai_prices import Usage, calc_price
from hypothesis import given
from hypothesis import strategies as st

from gateway.platform.providers import prices
from gateway.platform.providers.prices import Price
from gateway.platform.providers.rates import Rate, Rates, dollars, picos
from gateway.platform.providers.types import TokenUsage


def test_price__known_model__is_cost_markup_and_their_sum():
    # 900 at $0.15, 100 cached at $0.075, 100 out at $0.60 per million: 202.5 micro-dollars, half up.
    price = prices.price("openai", "gpt-4o-mini", TokenUsage(1000, 100, 100))
    assert price == Price(203, 41, 244, price.price_version)
    assert price.price_version.startswith("genai-prices/")


def test_price__sandbox__is_zero_and_says_free():
    assert prices.price("ikiro", "sandbox", TokenUsage(10, 10)) == Price(0, 0, 0, "ikiro/free")


@pytest.mark.parametrize(("provider", "model"), [("openai", "my-own-llama"), ("nobody", "gpt-4o-mini"), ("openai", "")])
def test_price__unknown_model__is_none_not_zero(provider, model):
    assert prices.price(provider, model, TokenUsage(10, 10)) == Price(None, None, None, "unpriced")
    assert prices.estimate(provider, model, 1000, 10) == 0


@pytest.mark.parametrize("model", ["gpt-4o-mini", "gpt-4o-mini-2024-07-18", "gpt-4o", "gpt-5", "o3", "gpt-3.5-turbo"])
@pytest.mark.parametrize("usage", [(1, 0, 0), (100, 0, 50), (300_000, 5_000, 1_000), (0, 7, 0)])
def test_price__every_listed_model__agrees_with_the_list_to_half_a_micro(model, usage):
    prompt, completion, cached = usage
    listed = calc_price(
        Usage(input_tokens=prompt, output_tokens=completion, cache_read_tokens=cached), model, provider_id="openai"
    )
    cost = prices.price("openai", model, TokenUsage(prompt, completion, cached)).provider_cost_micros
    assert abs(listed.total_price * 1_000_000 - cost) <= Decimal("0.5")


@pytest.mark.parametrize(
    "model", ["claude-haiku-4-5", "claude-sonnet-4-5", "claude-opus-4-1", "claude-3-5-haiku-latest"]
)
@pytest.mark.parametrize(
    "usage", [(100, 10, 0, 0), (5_000, 10, 4_000, 0), (5_000, 10, 1_000, 3_000), (250_000, 9, 0, 9)]
)
def test_price__anthropics_cache__is_priced_by_what_was_read_and_written(model, usage):
    prompt, completion, read, written = usage
    listed = calc_price(
        Usage(input_tokens=prompt, output_tokens=completion, cache_read_tokens=read, cache_write_tokens=written),
        model,
        provider_id="anthropic",
    )
    price = prices.price("anthropic", model, TokenUsage(prompt, completion, read, written))
    assert abs(listed.total_price * 1_000_000 - price.provider_cost_micros) <= Decimal("0.5")
    assert price.charged_micros <= prices.estimate("anthropic", model, prompt, completion)


@pytest.mark.parametrize(
    ("address", "model", "listed"),
    [
        ("https://api.groq.com/openai/v1", "llama-3.3-70b-versatile", True),
        ("https://api.mistral.ai/v1", "mistral-large-latest", True),
        ("https://own.example/v1", "gpt-4o-mini", False),
        ("http://127.0.0.1:11434/v1", "gpt-4o-mini", False),
    ],
)
def test_price__provider_by_its_address__is_known_where_the_list_knows_the_address(address, model, listed):
    price = prices.price(address, model, TokenUsage(1_000_000, 1_000_000))
    assert (price.provider_cost_micros is not None, price.price_version != "unpriced") == (listed, listed)


@given(
    prompt=st.integers(0, 10**6),
    completion=st.integers(0, 10**5),
    cached=st.integers(0, 10**6),
    model=st.sampled_from(["gpt-4o", "gpt-4o-mini"]),
)
def test_price__any_usage__adds_up_and_stays_under_the_estimate(prompt, completion, cached, model):
    price = prices.price("openai", model, TokenUsage(prompt, completion, min(cached, prompt)))
    assert price.charged_micros == price.provider_cost_micros + price.markup_micros
    assert abs(price.markup_micros * 5 - price.provider_cost_micros) <= 3
    assert price.charged_micros <= prices.estimate("openai", model, prompt, completion)


def test_estimate__no_max_tokens__assumes_a_long_answer():
    assert (
        prices.estimate("openai", "gpt-4o-mini", 0, None)
        == prices.estimate("openai", "gpt-4o-mini", 0, 16_384)
        == 11_796
    )


OWN = Rates(Rate(3_000_000), Rate(300_000), Rate(3_000_000), Rate(12_000_000), "own/v1")


def test_price__own_rates__go_before_the_list_and_name_their_version():
    for model in ("gpt-4o-mini", "my-own-llama"):
        assert prices.price("openai", model, TokenUsage(100, 10, 50), OWN) == Price(285, 57, 342, "own/v1")
    assert prices.price("openai", "gpt-4o-mini", TokenUsage(100, 10, 50)).price_version != "own/v1"


def test_price__embeddings__cost_what_they_read():
    # $0.02 per million tokens.
    price = prices.price("openai", "text-embedding-3-small", TokenUsage(1_000_000, 0))
    assert (price.provider_cost_micros, price.markup_micros, price.charged_micros) == (20_000, 4_000, 24_000)
    assert prices.affordable_tokens("openai", "text-embedding-3-small", 1_000, 1_000) is None
    assert prices.affordable_tokens("openai", "text-embedding-3-small", 1_000_000_000, 1_000) == 0


@pytest.mark.parametrize("model", ["tts-1", "whisper-1"])
def test_price__model_priced_by_characters_or_hours__is_unpriced(model):
    assert prices.price("openai", model, TokenUsage(10, 10)).price_version == "unpriced"


@given(
    prompt=st.integers(0, 10**6),
    micros=st.integers(0, 10**8),
    model=st.sampled_from([("openai", "gpt-4o", None), ("anthropic", "claude-sonnet-4-5", None), ("x", "y", OWN)]),
)
def test_affordable_tokens__any_money__is_the_most_that_the_estimate_allows(prompt, micros, model):
    provider, name, own = model
    tokens = prices.affordable_tokens(provider, name, prompt, micros, own)
    if prices.estimate(provider, name, prompt, 0, own) > micros:
        assert tokens == 0
        return
    assert prices.estimate(provider, name, prompt, tokens, own) <= micros
    assert prices.estimate(provider, name, prompt, tokens + 1, own) > micros


def test_affordable_tokens__unpriced_or_free__is_not_limited_by_money():
    assert prices.affordable_tokens("openai", "my-own-llama", 10, 0) is None
    assert prices.affordable_tokens("ikiro", "sandbox", 10, 0) is None


def test_dollars__of_what_was_written__reads_the_same():
    for text in ("0", "0.075", "3", "15.5", "100000", "0.000001"):
        assert dollars(picos(Decimal(text))) == text
