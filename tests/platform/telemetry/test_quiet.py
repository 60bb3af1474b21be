"""Telemetry that nobody listens to: it costs nothing worth measuring, and loads nothing."""

from __future__ import annotations

import subprocess
import sys
import timeit
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from gateway.core.endpoint import Call
from gateway.platform.telemetry import events, tracing
from gateway.platform.telemetry.metrics import Metrics

_CALL = Call(UUID(int=1), "v1")


def per_call(work: Any, rounds: int = 20_000) -> float:
    """Seconds for one of many, the best of five."""
    return min(timeit.repeat(work, number=rounds, repeat=5)) / rounds


def test_span__without_an_exporter__is_the_one_that_does_nothing() -> None:
    assert tracing.span(_CALL, "recall", cache_hit=True) is tracing.NOTHING
    assert tracing.model(_CALL, "chat", provider="openai", model="m") is tracing.NOTHING
    with tracing.span(_CALL, "recall") as one:
        one.set(anything=1)

    def span() -> None:
        with tracing.span(_CALL, "recall"):
            return

    assert per_call(span) < 3e-6  # measured: a quarter of a microsecond


def test_emit__without_a_sink__does_nothing() -> None:
    events.emit("gateway_chat_request", org_id=None)
    assert events.listening() is False
    assert per_call(lambda: events.emit("gateway_chat_request", org_id="o", persona_id="p", model="m")) < 3e-6


def test_metrics__of_one_model_call__cost_a_few_microseconds() -> None:
    counted = Metrics()
    operation = counted.operation("v1", "chat")
    settlement = SimpleNamespace(
        prompt_tokens=10, completion_tokens=5, cached_tokens=0, charged_micros=7, latency_ms=120, ttft_ms=80
    )

    def one() -> None:
        operation.done(200, 0.123)
        counted.settled("openai", settlement)
        counted.attempted("openai", "ok")

    assert per_call(one) < 30e-6  # measured: about 3; generous for a loaded machine


def test_process__without_an_exporter__loads_none_of_the_libraries() -> None:
    """A process that serves with the defaults: no tracing SDK, no protobuf, no Prometheus client, no OpenFeature."""
    script = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.analysis_settings"
import ikiro.asgi
from gateway.platform.telemetry import outlets
outlets.open_all()
heavy = ("opentelemetry.sdk.trace", "opentelemetry.proto", "google.protobuf", "prometheus_client", "openfeature")
print([name for name in heavy if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
