"""What a flag is for an organization and why, by the plain function and through OpenFeature: they never differ."""

from __future__ import annotations

import timeit
from dataclasses import replace
from typing import Any

import pytest

from gateway.core import clock, ids
from gateway.core.errors import BadRequest, Forbidden
from gateway.platform.flags import catalogue, gate
from gateway.platform.flags.client import flags, of
from gateway.platform.flags.types import Reason, Resolution, Setter
from tenants.directory import directory
from tenants.killswitch import Kill
from tenants.rules import OrgSettings
from tenants.types import Organization, OrgRef

SEED = {
    "enable_gateway_api": False, "enable_mcp_adapter": False, "enable_precompose": False, "enable_proposals": False,
    "enable_webhooks": False, "gateway_rate_limit_free": 1_000, "gateway_rate_limit_pro": 50_000,
    "gateway_rate_limit_business": 500_000, "enable_audit_api": False, "enable_multi_tenancy": False,
    "cache-memory-ttl-seconds": 300, "cache-llm-response-ttl-seconds": 3_600, "cache-response-enabled": True,
}  # fmt: skip


def organization(plan: str = "free", *, flags: dict[str, Any] | None = None, **chosen: Any) -> Organization:
    """An organization that this process knows, with the operator's overrides and its own choices."""
    own = {key: {"value": value, "version": 1, "by": "", "at": "", "reason": ""} for key, value in chosen.items()}
    made = Organization(
        ref=OrgRef(ids.uuid7(), "t_x"), slug="acme", name="Acme", plan=plan, state="ready", suspended_at=None,
        flags=flags or {}, limits={}, version=1, created_at=clock.now(), settings=OrgSettings(flags=own),
    )  # fmt: skip
    directory._organizations[made.ref.id] = made
    return made


@pytest.fixture(autouse=True)
def _forget() -> Any:
    known, killed = dict(directory._organizations), directory.killed
    yield
    directory._organizations, directory.killed = known, killed


def kill(*keys: str) -> None:
    directory.killed = {key: Kill(key, "on fire", "operator:cli", clock.now()) for key in keys}


def test_catalogue__against_the_seed__has_every_flag_with_its_default() -> None:
    assert {key: catalogue.FLAGS[key].default for key in SEED} == SEED
    assert set(catalogue.FLAGS) - set(SEED) == {"sso"}
    assert all(flag.least <= flag.default <= flag.most for flag in catalogue.FLAGS.values() if flag.is_number)


@pytest.mark.parametrize(
    ("made", "key", "expected"),
    [
        (organization(), "enable_webhooks", Resolution(False, Reason.DEFAULT)),
        (organization(), "cache-response-enabled", Resolution(True, Reason.DEFAULT)),
        (organization("pro"), "enable_webhooks", Resolution(True, Reason.PLAN)),
        (organization(flags={"enable_webhooks": True}), "enable_webhooks",
         Resolution(True, Reason.ORGANIZATION, Setter.OPERATOR)),
        (organization("pro", enable_webhooks=False), "enable_webhooks",
         Resolution(False, Reason.ORGANIZATION, Setter.ORGANIZATION)),
        # Chosen on a plan that is no longer there: the choice waits.
        (organization("free", enable_webhooks=True), "enable_webhooks", Resolution(False, Reason.DEFAULT)),
        (organization("pro", flags={"enable_webhooks": False}, enable_webhooks=True), "enable_webhooks",
         Resolution(False, Reason.ORGANIZATION, Setter.OPERATOR)),
        (organization("free", enable_precompose=True), "enable_precompose",
         Resolution(True, Reason.ORGANIZATION, Setter.ORGANIZATION)),
        (organization("free", enable_gateway_api=True), "enable_gateway_api", Resolution(False, Reason.DEFAULT)),
        (organization("free", enable_webhooks=None), "enable_webhooks", Resolution(False, Reason.DEFAULT)),
        (organization("pro"), "cache-memory-ttl-seconds", Resolution(300, Reason.DEFAULT)),
        (organization("pro", **{"cache-memory-ttl-seconds": 60}), "cache-memory-ttl-seconds",
         Resolution(60, Reason.ORGANIZATION, Setter.ORGANIZATION)),
        (organization("pro", **{"cache-memory-ttl-seconds": 10**9}), "cache-memory-ttl-seconds",
         Resolution(86_400, Reason.CLAMPED, Setter.ORGANIZATION)),
        (organization("pro", flags={"gateway_rate_limit_pro": -5}), "gateway_rate_limit_pro",
         Resolution(0, Reason.CLAMPED, Setter.OPERATOR)),
    ],
)  # fmt: skip
def test_resolve__each_layer__wins_over_those_below_it(made: Organization, key: str, expected: Resolution) -> None:
    directory._organizations[made.ref.id] = made
    assert catalogue.resolve(made, key) == expected
    ask = flags().get_integer_details if catalogue.FLAGS[key].is_number else flags().get_boolean_details
    details: Any = ask(key, 7 if catalogue.FLAGS[key].is_number else False, of(made))
    assert (details.value, details.reason, details.error_code) == (expected.value, expected.reason.value, None)
    assert details.flag_metadata == ({"set_by": expected.setter.value} if expected.setter else {})


def test_resolve__killed__is_off_for_everybody_and_back_afterwards() -> None:
    acme, globex = organization("business"), organization("pro", flags={"enable_webhooks": True})
    kill("enable_webhooks", "cache-memory-ttl-seconds", "gateway_rate_limit_pro")
    for made in (acme, globex):
        assert catalogue.resolve(made, "enable_webhooks") == Resolution(False, Reason.KILLED)
        assert catalogue.resolve(made, "cache-memory-ttl-seconds") == Resolution(0, Reason.KILLED)
        assert catalogue.monthly_calls(globex) == 50_000  # what is no feature cannot be killed
        assert catalogue.value(made, "enable_mcp_adapter") is True
    with pytest.raises(Forbidden) as refused:
        gate.require(acme, "enable_webhooks")
    assert (refused.value.code, refused.value.extra["reason"]) == ("feature_disabled", "killed")
    kill()
    assert catalogue.value(acme, "enable_webhooks") is True


def test_require__each_reason__names_the_plan_or_the_flag() -> None:
    def code(made: Organization) -> str:
        with pytest.raises(Forbidden) as refused:
            gate.require(made, "enable_webhooks")
        return str(refused.value.code)

    assert code(organization("free")) == "plan_required"
    assert code(organization("free", enable_webhooks=True)) == "plan_required"
    assert code(organization("pro", enable_webhooks=False)) == "feature_disabled"
    assert code(organization("pro", flags={"enable_webhooks": False})) == "feature_disabled"
    gate.require(organization("pro"), "enable_webhooks")


def test_openfeature__unknown_flag_type_or_organization__is_an_error_with_the_callers_default() -> None:
    made = organization("pro")
    missing = flags().get_boolean_details("enable_nothing", True, of(made))
    assert (missing.value, missing.error_code) == (True, "FLAG_NOT_FOUND")
    mixed = flags().get_integer_details("enable_webhooks", 3, of(made))
    assert (mixed.value, mixed.error_code) == (3, "TYPE_MISMATCH")
    assert flags().get_string_details("enable_webhooks", "x", of(made)).error_code == "TYPE_MISMATCH"
    stranger = replace(made, ref=OrgRef(ids.uuid7(), "t_y"))
    unknown = flags().get_boolean_details("enable_webhooks", True, of(stranger))
    assert (unknown.value, unknown.error_code) == (True, "TARGETING_KEY_MISSING")
    assert flags().get_boolean_details("enable_webhooks", True).error_code == "TARGETING_KEY_MISSING"


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [("enable_webhooks", "on", True), ("enable_webhooks", "off", False), ("gateway_rate_limit_pro", "7", 7),
     ("enable_webhooks", "default", None)],
)  # fmt: skip
def test_parse__an_operators_words__become_a_value(key: str, text: str, value: object) -> None:
    assert catalogue.parse(key, text) is value or catalogue.parse(key, text) == value


@pytest.mark.parametrize(
    ("key", "text", "code"),
    [("enable_webhooks", "maybe", "invalid_flag"), ("cache-memory-ttl-seconds", "86401", "invalid_flag"),
     ("gateway_rate_limit_pro", "-1", "invalid_flag"), ("nothing", "on", "unknown_flag")],
)  # fmt: skip
def test_parse__what_a_flag_cannot_be__is_refused(key: str, text: str, code: str) -> None:
    with pytest.raises(BadRequest) as refused:
        catalogue.parse(key, text)
    assert refused.value.code == code


def test_resolve__on_the_hot_path__costs_a_microsecond_or_two() -> None:
    made = organization("pro", enable_mcp_adapter=False)
    rounds = 20_000
    spent = min(timeit.repeat(lambda: catalogue.value(made, "enable_webhooks"), number=rounds, repeat=5)) / rounds
    assert spent < 10e-6, f"{spent * 1e6:.2f} µs"  # measured: under 1 µs; generous for a loaded machine
