"""Refusals that are kept one by one: which step they name, and that a flood is not written down."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from gateway.core import ids
from gateway.core.endpoint import Call, Metering, endpoint
from gateway.core.errors import BadRequest, Forbidden, GatewayError, PaymentRequired, RateLimited, Unauthenticated
from gateway.surfaces import refusals


@pytest.mark.parametrize(
    ("error", "stage"),
    [
        (Unauthenticated("no"), "auth"),
        (Forbidden("no", code="scope_missing"), "scope"),
        (Forbidden("no", code="plan_required"), "flag"),
        (Forbidden("no", code="policy_refused"), "policy"),
        (Forbidden("no", code="persona_not_allowed"), "grant"),
        (RateLimited("no"), "limits"),
        (PaymentRequired("no"), "limits"),
        (BadRequest("no"), "input"),
    ],
)
def test_mark__by_what_refused__adds_its_one_line(error: GatewayError, stage: str) -> None:
    call = Call(ids.uuid7(), "v1")
    call.decided("auth", "ok")
    refusals.mark(call, error)
    refusals.mark(call, error)
    assert [(line["stage"], line["verdict"]) for line in call.decisions] == [("auth", "ok"), (stage, "refused")]
    assert call.decisions[1]["code"] == error.code


def test_mark__a_step_that_wrote_its_own_line_or_trouble_of_ours__adds_none() -> None:
    call = Call(ids.uuid7(), "v1")
    refusals.mark(call, GatewayError("broken"))
    refusals.mark(call, ValueError("broken"))
    assert call.decisions == []
    call.decided("limits", "refused", code="rate_limited")
    refusals.mark(call, RateLimited("no"))
    assert len(call.decisions) == 1


def test_room__a_flood_of_one_organization__is_kept_up_to_the_minutes_share_only(monkeypatch) -> None:
    monkeypatch.setattr(refusals, "_kept", {})
    acme, globex = ids.uuid7(), ids.uuid7()
    kept = [refusals._has_room(acme) for _ in range(500)]
    assert kept.count(True) <= 2 * refusals.KEPT_A_MINUTE  # two, should the minute turn meanwhile
    assert kept[: refusals.KEPT_A_MINUTE] == [True] * refusals.KEPT_A_MINUTE
    assert refusals._has_room(globex)


def test_before_work__with_and_without_a_lease__tells_them_apart() -> None:
    @endpoint(scope=None, metering=Metering.CALL)
    async def work() -> None: ...

    declared = work.__endpoint__  # type: ignore[attr-defined]
    call = Call(ids.uuid7(), "v1")
    assert refusals.is_before_work(call, declared)
    call.admission = SimpleNamespace(lease=object())
    assert not refusals.is_before_work(call, declared)
