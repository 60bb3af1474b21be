"""How restrictions are written, and that "wider" is told from "narrower" without a mistake."""

from __future__ import annotations

import ipaddress
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import BadRequest
from tenants import restrictions
from tenants.rules import KeyBudget, KeyRate
from tenants.types import ApiKey, Organization, OrgRef, Principal


@pytest.mark.parametrize(
    ("written", "uniform"),
    [
        ("https://App.Example:443/", "https://app.example"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://localhost:80", "http://localhost"),
        ("https://müller.example", "https://xn--mller-kva.example"),
        ("https://[::1]:8443", "https://[::1]:8443"),
        ("capacitor://localhost", "capacitor://localhost"),
    ],
)
def test_origin__in_any_writing__is_as_browsers_send_it(written: str, uniform: str) -> None:
    assert restrictions.origin(written) == uniform
    assert restrictions.origin(uniform) == uniform


@pytest.mark.parametrize(
    "text",
    ["*", "null", "", "app.example", "//app.example", "https://", "https://*.app.example", "https://app.example/x",
     "https://app.example?x", "https://me@app.example", "https://app.example:99999", "https://a..b", "https://a b",
     "https://" + "a" * 300],
)  # fmt: skip
def test_origin__that_is_none__is_refused_by_its_place(text: str) -> None:
    with pytest.raises(BadRequest) as refused:
        restrictions.uniform("origins", ["https://fine.example", text])
    assert refused.value.code == "invalid_origin"
    assert [problem.pointer for problem in refused.value.problems] == ["#/origins/1"]


@given(st.text(max_size=60))
def test_origin__any_text__is_one_or_refused(text: str) -> None:
    try:
        found = restrictions.origin(text)
    except ValueError:
        return
    assert restrictions.origin(found) == found
    assert found.isascii()


def test_ranges__of_both_families__are_uniform_and_bad_ones_named() -> None:
    written = ["203.0.113.77/24", "10.0.0.1", "2001:DB8::1/32"]
    assert restrictions.uniform("ip_ranges", written) == ["10.0.0.1/32", "2001:db8::/32", "203.0.113.0/24"]
    with pytest.raises(BadRequest) as refused:
        restrictions.uniform("ip_ranges", ["10.0.0.0/33", "10.0.0.0/8", "anywhere"])
    assert refused.value.code == "invalid_ip_range"
    assert [problem.pointer for problem in refused.value.problems] == ["#/ip_ranges/0", "#/ip_ranges/2"]


@pytest.mark.parametrize("text", ["*", "a/b*", "/x", "a/", "with space", ""])
def test_model__that_is_none__is_refused(text: str) -> None:
    with pytest.raises(BadRequest) as refused:
        restrictions.uniform("models", [text])
    assert refused.value.code == "invalid_model"


@pytest.mark.parametrize(
    ("address", "within"),
    [("203.0.113.9", True), ("203.0.114.1", False), ("::ffff:203.0.113.9", True), ("2001:db8:5::1", True),
     ("2001:db9::1", False), ("", False), ("unknown", False)],
)  # fmt: skip
def test_address__against_ranges__is_found_in_its_family_alone(address: str, within: bool) -> None:
    assert restrictions.address_in(address, ("203.0.113.0/24", "2001:db8::/32")) is within
    assert restrictions.address_in(address, ()) is False


_NETWORKS = st.builds(
    lambda number, bits: str(ipaddress.ip_network((number, bits), strict=False)),
    st.integers(0, 2**32 - 1),
    st.integers(0, 32),
)


@given(st.lists(_NETWORKS, max_size=4), st.lists(_NETWORKS, max_size=4), st.integers(0, 2**32 - 1))
def test_ranges__not_wider__hold_no_address_that_the_own_do_not(wanted: list, own: list, number: int) -> None:
    address = str(ipaddress.ip_address(number))
    if not restrictions.wider("ip_ranges", wanted, own) and restrictions.address_in(address, tuple(wanted)):
        assert restrictions.address_in(address, tuple(own))


_MODELS = st.lists(st.sampled_from(["a/x", "a/y", "b/x", "a/*", "b/*", "best", "fast"]), max_size=4)


def _principal(models: list[str] | None) -> Principal:
    ref = OrgRef(None, "t_x")  # type: ignore[arg-type]
    organization = Organization(ref, "acme", "Acme", "pro", "ready", None, {}, {}, 1, None)  # type: ignore[arg-type]
    values = dict.fromkeys(one.name for one in fields(ApiKey)) | {"models": None if models is None else tuple(models)}
    return Principal(organization, ApiKey(**values))


@given(_MODELS, _MODELS, st.sampled_from([("a/x", None), ("a/z", None), ("b/x", "best"), ("c/x", "fast")]))
def test_models__not_wider_or_cut__allow_nothing_that_the_own_do_not(wanted: list, own: list, asked: tuple) -> None:
    if not restrictions.wider("models", wanted, own) and _principal(wanted).may_use_model(*asked):
        assert _principal(own).may_use_model(*asked)
    left = restrictions.cut("models", wanted, own)
    if _principal(list(left or ())).may_use_model(*asked):
        assert _principal(own).may_use_model(*asked)
        assert _principal(wanted).may_use_model(*asked)


_RATES = st.builds(KeyRate, st.integers(1, 50), st.integers(1, 50))


@given(_RATES, _RATES)
def test_rates__not_wider__are_no_faster_in_a_burst_nor_in_the_long_run(wanted: KeyRate, own: KeyRate) -> None:
    if not restrictions.wider("rate", wanted, own):
        assert wanted.limit <= own.limit
        assert wanted.limit / wanted.window_s <= own.limit / own.window_s + 1e-9


@pytest.mark.parametrize(
    ("wanted", "wider"),
    [
        (None, True),
        (KeyBudget(5, "day"), False),
        (KeyBudget(6, "day"), True),
        (KeyBudget(1, "month"), True),
        (KeyBudget(1, "day", hard=False), True),
    ],
)
def test_budget__against_a_hard_one_by_the_day__needs_the_same_window_and_no_more(wanted, wider: bool) -> None:
    assert restrictions.wider("budget", wanted, KeyBudget(5, "day")) is wider
    assert restrictions.wider("budget", wanted, None) is False


@pytest.mark.parametrize("name", ["scopes", "persona_ids", "subject_ids", "memory_scopes", "origins"])
def test_list__against_another__none_is_widest_and_empty_narrowest(name: str) -> None:
    assert restrictions.wider(name, None, ["a"])
    assert not restrictions.wider(name, None, None)
    assert not restrictions.wider(name, [], [])
    assert restrictions.wider(name, ["a", "b"], ["a"])
    assert restrictions.cut(name, None, ["a"]) == ("a",)
    assert restrictions.cut(name, ["a", "b"], ["b", "c"]) == ("b",)
    assert restrictions.cut(name, None, None) is None
