"""Which limits apply to whom, and what the dry run says about them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from gateway.core import ids
from gateway.core.endpoint import Call
from gateway.core.valkey import SHARDS, Valkey
from gateway.platform.admission import gate, rules
from gateway.platform.admission.limits import Kind
from gateway.platform.ledger.names import seeded
from tenants.rules import KeyBudget, KeyRate, LimitRule
from tenants.types import ApiKey, CapabilityToken, Organization, OrgRef, Principal
from tests.platform.support import ACME, GLOBEX, KEY, run

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def organization(*own: LimitRule, org_id: UUID = ACME) -> Organization:
    return Organization(OrgRef(org_id, "t"), "acme", "Acme", "pro", "ready", None, {}, {}, 1, NOW, rules=own)


def key(**changes: Any) -> ApiKey:
    made = ApiKey(
        KEY, ACME, "pub", "k", "live", None, None, None, None, None, None, None, None, None, NOW, "user:x", 1, b""
    )
    return replace(made, **changes)


def named(found: Any) -> list[tuple[str, str, Any]]:
    return [(limit.id, limit.kind, limit.limit) for limit in found.limits]


def test_of__plan_key_token_and_rules__each_for_its_own_holder() -> None:
    own = (
        LimitRule("lim_o", "organization", "concurrency", 9, 0),
        LimitRule("lim_k", "key", "tokens", 100, 60),
        LimitRule("lim_u", "user", "budget", 5, "day"),
        LimitRule("lim_s", "subject", "budget", 7, "month"),
    )
    token = CapabilityToken(ids.uuid7(), ("chat",), ("p",), ("ann",), None, None, None, 50, NOW)
    held = key(rate=KeyRate(3, 60), budget=KeyBudget(1_000, "day", hard=False))
    found = rules.of(Principal(organization(*own), held, token=token), "ann")
    assert named(found) == [
        ("plan", "requests", 600), ("plan", "calls", 50_000), ("key", "requests", 3), ("key", "budget", 1_000),
        ("token", "budget", 50), ("lim_o", "concurrency", 9), ("lim_k", "tokens", 100), ("lim_s", "budget", 7),
    ]  # fmt: skip
    holders = found.holders.split(",")
    assert holders[:3] == ["o", f"k{KEY}", f"t{token.id}"]
    assert [holder[0] for holder in holders] == ["o", "k", "t", "s"]
    by_id = {limit.id: limit for limit in found.limits}
    assert (by_id["lim_s"].holder, by_id["lim_k"].holder, by_id["lim_o"].holder) == (holders[3], f"k{KEY}", "o")
    assert not by_id["key"].guards_money
    assert found.guards_money
    other = rules.of(Principal(organization(*own), held, token=token), "bob")
    assert other.holders != found.holders


def test_of__nothing_changed__is_worked_out_once_and_anew_for_another_object() -> None:
    caller = Principal(organization(), key())
    first = rules.of(caller)
    assert rules.of(caller) is first
    assert rules.of(caller, "ann") is first  # nobody limits subjects here
    assert rules.of(Principal(organization(), key())) is not first
    assert [limit.kind for limit in rules.rates_of(caller).limits] == [Kind.REQUESTS]


def test_of__rule_that_is_raised__has_the_higher_limit_until_then() -> None:
    now = datetime.now(UTC)
    raised = LimitRule(
        "lim_r", "organization", "requests", 5, 60, raised_limit=50, raised_until=now + timedelta(days=1)
    )
    over = replace(raised, raised_until=now - timedelta(seconds=1))
    assert rules.of(Principal(organization(raised), key())).limits[-1].limit == 50
    assert rules.of(Principal(organization(over, org_id=GLOBEX), key())).limits[-1].limit == 5


def test_preview_and_budget_left__under_a_hard_budget__say_what_admission_would_and_change_nothing(
    url: str, client: Any, monkeypatch: Any
) -> None:
    client.mset({seeded(shard): "0|0" for shard in range(SHARDS)})
    hard = LimitRule("lim_h", "organization", "budget", 1_000, "month")
    shadow = LimitRule("lim_w", "organization", "tokens", 10, 60, shadow=True)
    call = Call(ids.uuid7(), "v1", Principal(organization(hard, shadow), key()))
    free = Call(ids.uuid7(), "v1", Principal(organization(org_id=GLOBEX), key(org_id=GLOBEX)))

    async def work(store: Valkey) -> tuple[Any, ...]:
        monkeypatch.setattr(gate, "store", lambda: store)
        before = client.keys("*")
        told = await gate.preview(call, estimate_micros=2_000, tokens=100, subject_id=None)
        left = await gate.budget_left(call, subject_id=None), await gate.budget_left(free, subject_id=None)
        view = await gate.limits_view(call)
        assert sorted(client.keys("*")) == sorted(before)
        return told, left, view

    told, left, view = run(url, work)
    assert {one["id"]: one["verdict"] for one in told if one["id"] != "plan"} == {
        "lim_h": "refused", "lim_w": "would_refuse",
    }  # fmt: skip
    assert {one["verdict"] for one in told if one["id"] == "plan"} == {"ok"}
    assert left == (1_000, None)
    assert view.spent_micros == 0
    assert [state.limit.id for state in view.states] == ["plan", "plan", "lim_h", "lim_w"]
    client.delete(*(seeded(shard) for shard in range(SHARDS)))

    async def after_a_loss(store: Valkey) -> Any:
        monkeypatch.setattr(gate, "store", lambda: store)
        return await gate.preview(call, estimate_micros=1, tokens=1, subject_id=None)

    assert {one["id"]: one["verdict"] for one in run(url, after_a_loss)}["lim_h"] == "unknown"
