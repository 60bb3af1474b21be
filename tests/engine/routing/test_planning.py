"""From a name to the targets: what the caller may have, in which order, and why not the others."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from gateway.core import ids
from gateway.core.crypto import Secret
from gateway.core.errors import Forbidden, GatewayError
from gateway.engine.routing import Bound, planning, policies, tiers
from gateway.governance.policies.merge import merge
from gateway.governance.policies.types import Fields, Level, Overlay
from gateway.platform.providers import registry
from gateway.platform.providers.entries import ORGANIZATION, PLATFORM, Entry
from gateway.platform.providers.errors import UpstreamRateLimited
from gateway.platform.providers.openai_wire import OpenAIWire
from gateway.platform.providers.sandbox import Sandbox
from gateway.platform.providers.stored import RouteSpec, Strategy, Target
from tenants.types import OrgRef
from tests.factories.organizations import principal

REF = OrgRef(UUID(int=7), "t_7")
PRINCIPAL = principal(REF)
TWO = RouteSpec((Target("one/a"),), fallbacks=("two/b",))


def entry(name: str, **fields) -> Entry:
    made = OpenAIWire(name=name, base_url="https://own.example/v1", api_key=Secret("sk-x"), trusted=False)
    return Entry(made, fields.pop("credential", ORGANIZATION), fields.pop("price_as", "https://own.example"), **fields)


@pytest.fixture
def configured(monkeypatch):
    held: dict[str, Any] = {"entries": {}, "aliases": {}, "policy": merge([])}

    async def configuration(_organization):
        built_in = {"ikiro": Entry(Sandbox(), "built-in", "ikiro")}
        return registry.Configuration(REF, {**built_in, **held["entries"]}, held["aliases"])

    async def policy(_organization):
        return Bound(held["policy"], None)

    monkeypatch.setattr(registry, "configuration", configuration)
    monkeypatch.setattr(policies, "bound", policy)
    held["entries"] |= {"one": entry("one"), "two": entry("two")}
    held["aliases"]["both"] = TWO
    return held


def plan(name: str, who=PRINCIPAL, **more):
    return asyncio.run(planning.plan(who.organization, name, principal=who, **more))


def names(made) -> list[str]:
    return [route.name for route in made.routes]


def code(name: str, who=PRINCIPAL) -> str:
    with pytest.raises(GatewayError) as caught:
        plan(name, who)
    return caught.value.code


def narrowed(*models: str):
    assert PRINCIPAL.key is not None
    return replace(PRINCIPAL, key=replace(PRINCIPAL.key, models=models))


def test_plan__plain_name_and_route__lead_to_their_targets_in_order(configured):
    assert (names(plan("one/x")), plan("one/x").facts()) == (["one/x"], {})
    made = plan("both")
    assert (names(made), {route.alias for route in made.routes}) == (["one/a", "two/b"], {"both"})
    assert made.facts() == {"targets": ["one/a", "two/b"], "strategy": "ordered"}
    assert code("nobody/x") == code("odd") == "model_not_found"


def test_plan__weighted__is_drawn_by_weight_and_always_alike_for_one_request(configured):
    targets = (Target("one/a", 3), Target("two/b", 1))
    configured["aliases"]["split"] = RouteSpec(targets, Strategy.WEIGHTED, ("one/z",))
    seen: Counter[str] = Counter()
    for _ in range(2_000):
        request_id = ids.uuid7()
        found = names(plan("split", request_id=request_id))
        assert found == names(plan("split", request_id=request_id))
        assert sorted(found) == ["one/a", "one/z", "two/b"]
        assert found[-1] == "one/z"
        seen[found[0]] += 1
    assert 0.70 < seen["one/a"] / 2_000 < 0.80
    assert set(seen) == {"one/a", "two/b"}


@pytest.mark.parametrize(
    ("models", "kept"),
    [
        (("two/b",), ["two/b"]),
        (("one/*",), ["one/a"]),
        (("both",), ["one/a", "two/b"]),
        (("ikiro/sandbox",), None),
        ((), None),
    ],
)
def test_plan__narrowed_key__keeps_what_it_may_use_and_names_it_otherwise(configured, models, kept):
    who = narrowed(*models)
    if kept is not None:
        assert names(plan("both", who)) == kept
        return
    with pytest.raises(Forbidden) as caught:
        plan("both", who)
    assert (caught.value.code, caught.value.extra["allowed"]) == ("model_not_allowed", list(models))


def test_plan__policy__drops_denied_targets_and_refuses_when_none_is_left(configured):
    def denied(*globs: str):
        return merge([Overlay(Level.ORG, "", Fields(denied_models=globs), Fields())])

    configured["policy"] = denied("one/*")
    made = plan("both")
    assert (names(made), made.facts()["left_out"]) == (["two/b"], [{"model": "one/a", "reason": "policy_refused"}])
    configured["policy"] = denied("*")
    assert code("both") == code("one/a") == "policy_refused"


def test_plan__disabled_provider__is_left_out_and_refused_when_alone(configured):
    configured["entries"]["one"] = entry("one", problem="disabled")
    assert names(plan("both")) == ["two/b"]
    assert code("one/a") == "provider_disabled"


def test_plan__open_breaker__goes_last_and_is_asked_when_alone(configured, monkeypatch):
    monkeypatch.setattr(configured["entries"]["one"].health, "admits", lambda: False)
    made = plan("both")
    assert (names(made), made.allowed) == (["two/b", "one/a"], ("one/a", "two/b"))
    assert made.facts()["left_out"] == [{"model": "one/a", "reason": "breaker_open"}]
    assert names(plan("one/a")) == ["one/a"]


@pytest.mark.parametrize(("seconds", "refused"), [(60.0, True), (2.0, False)])
def test_plan__provider_that_asked_for_a_pause__is_skipped_and_alone_refused_when_it_is_long(
    configured, seconds, refused
):
    health = configured["entries"]["one"].health
    health.note("a", UpstreamRateLimited("slow", transient=True, retry_after=seconds))
    assert names(plan("both")) == ["two/b"]
    assert names(plan("one/other")) == ["one/other"]
    if not refused:
        assert names(plan("one/a")) == ["one/a"]
        return
    with pytest.raises(GatewayError) as caught:
        plan("one/a")
    assert (caught.value.code, caught.value.http_status) == ("provider_cooling_down", 503)
    assert 58 < (caught.value.retry_after or 0) <= 60


def test_tiers__nothing_known_configured__are_the_sandbox_and_say_so(configured):
    for name in tiers.NAMES:
        made = plan(name)
        assert names(made) == ["ikiro/sandbox"]
        assert made.facts()["why"] == "no provider with a known model is configured"


def test_tiers__known_vendors__own_ones_come_first_and_auto_is_the_cheapest(configured):
    configured["entries"] |= {
        "openai": entry("openai", credential=PLATFORM, price_as="openai"),
        "mine": entry("mine", price_as="anthropic"),
    }
    assert names(plan("tier:default")) == ["mine/claude-sonnet-4-5", "openai/gpt-4.1"]
    assert names(plan("auto"))[0] == "openai/gpt-4.1-nano"
    assert "vision" in plan("auto", needs=frozenset({tiers.VISION})).facts()["why"]
    assert names(plan("auto", narrowed("mine/*")))[0] == "mine/claude-haiku-4-5"
    configured["aliases"]["tier:fast"] = RouteSpec.to("two/own")
    assert names(plan("tier:fast")) == ["two/own"]
