"""The breaker: opened by a trend, closed by a probe, and a pause per model where the provider asked for one."""

from __future__ import annotations

import asyncio
import contextlib
from types import SimpleNamespace

import pytest

from gateway.core.egress import ConnectFailed, UpstreamTimeout
from gateway.core.errors import GatewayError
from gateway.platform.providers import health
from gateway.platform.providers.errors import ModelNotFound, ProviderFailed, UpstreamRateLimited, UpstreamRejected
from gateway.platform.providers.health import Health


@pytest.fixture
def clock(monkeypatch):
    moment = SimpleNamespace(now=1_000.0)
    monkeypatch.setattr(health, "time", SimpleNamespace(monotonic=lambda: moment.now))
    return moment


def call(breaker: Health, error: GatewayError | None = None, model: str = "m") -> None:
    async def start() -> str:
        if error is not None:
            raise error
        return "ok"

    with contextlib.nullcontext() if error is None else pytest.raises(type(error)):
        asyncio.run(breaker.watch(model, start))


DOWN = ProviderFailed("down", transient=True)


def test_breaker__few_failures__stay_no_trend(clock):
    breaker = Health()
    assert breaker.view().state == "unknown"
    for _ in range(health.LEAST_CALLS - 1):
        call(breaker, DOWN)
    assert (breaker.admits(), breaker.view().state) == (True, "closed")
    call(breaker, DOWN)
    shown = breaker.view()
    assert (breaker.admits(), shown.state, shown.error_rate, shown.last_error) == (False, "open", 1.0, "upstream_error")


def test_breaker__pause_over__lets_one_probe_through_which_decides(clock):
    breaker = Health()
    for _ in range(health.LEAST_CALLS):
        call(breaker, ConnectFailed("nobody"))
    clock.now += health.PAUSE_S - 0.1
    assert not breaker.admits()
    clock.now += 0.2
    assert breaker.admits()
    call(breaker, UpstreamTimeout("late"))  # the probe fails: twice the pause
    clock.now += health.PAUSE_S + 0.1
    assert (breaker.admits(), breaker.view().state) == (False, "open")
    clock.now += health.PAUSE_S
    assert breaker.admits()

    async def probing() -> None:
        async def start() -> str:
            assert (breaker.view().state, breaker.admits()) == ("half_open", False)
            return "ok"

        await breaker.watch("m", start)

    asyncio.run(probing())
    assert (breaker.admits(), breaker.view().state) == (True, "closed")


def test_breaker__caller_of_the_probe_gone__lets_another_through_later(clock):
    breaker = Health()
    for _ in range(health.LEAST_CALLS):
        call(breaker, DOWN)
    clock.now += health.PAUSE_S

    async def gone() -> None:
        task = asyncio.create_task(breaker.watch("m", lambda: asyncio.sleep(3600)))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(gone())
    assert not breaker.admits()
    clock.now += health.PROBE_S + 0.1
    assert breaker.admits()


@pytest.mark.parametrize("error", [UpstreamRejected("yours"), ModelNotFound("no such"), None])
def test_breaker__what_is_wrong_with_the_request__is_no_failure(clock, error):
    breaker = Health()
    for _ in range(20):
        call(breaker, error)
    assert (breaker.view().error_rate, breaker.admits()) == (0.0, True)


def test_breaker__failures_of_another_minute__count_no_more(clock):
    breaker = Health()
    for _ in range(health.LEAST_CALLS - 1):
        call(breaker, DOWN)
    clock.now += health.WINDOW_S + 1
    call(breaker, DOWN)
    assert (breaker.admits(), breaker.view().calls) == (True, 1)


def test_retry_after__cools_its_model_alone_and_is_over_in_time(clock):
    breaker = Health()
    call(breaker, UpstreamRateLimited("slow", transient=True, retry_after=7.0), "hot")
    assert (breaker.cooling("hot"), breaker.cooling("cold"), breaker.admits()) == (7.0, 0.0, True)
    clock.now += 7
    assert breaker.cooling("hot") == 0.0
    call(breaker, UpstreamRateLimited("slow", retry_after=86_400.0), "hot")
    assert breaker.cooling("hot") == health.LONGEST_COOLDOWN_S
