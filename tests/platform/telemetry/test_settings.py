"""What the environment says about telemetry, OpenTelemetry's own variables included."""

from __future__ import annotations

import importlib

import pytest
from django.core.exceptions import ImproperlyConfigured

from ikiro.settings import telemetry

NAMES = (
    "IKIRO_LOG_FORMAT", "IKIRO_TELEMETRY_SINK", "IKIRO_METRICS_TOKEN", "IKIRO_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
)  # fmt: skip


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch):
    """The settings of an environment that has only these variables."""

    def reader(**variables: str):
        for name in NAMES:
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return importlib.reload(telemetry)

    yield reader
    monkeypatch.undo()
    importlib.reload(telemetry)


def test_defaults__tell_nobody_anything(read) -> None:
    found = read()
    assert (found.IKIRO_TELEMETRY_SINK, found.IKIRO_OTLP_ENDPOINT, found.IKIRO_METRICS_TOKEN) == ("none", "", "")
    assert found.IKIRO_LOG_FORMAT == "json"


@pytest.mark.parametrize(
    ("variables", "endpoint"),
    [
        ({"IKIRO_OTLP_ENDPOINT": "http://c:4318"}, "http://c:4318/v1/traces"),
        ({"IKIRO_OTLP_ENDPOINT": "http://c:4318/v1/traces"}, "http://c:4318/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://o:4318/"}, "http://o:4318/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://t/x", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://o"}, "http://t/x"),
        ({"IKIRO_OTLP_ENDPOINT": "http://c", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://o"}, "http://c/v1/traces"),
    ],
)
def test_traces_endpoint__ours_before_the_exact_before_the_general(read, variables, endpoint: str) -> None:
    found = read(**variables)
    assert endpoint == found.IKIRO_OTLP_ENDPOINT


def test_traces_headers__of_opentelemetrys_variable__are_sent(read) -> None:
    found = read(OTEL_EXPORTER_OTLP_HEADERS="X-Tenant=acme, authorization=Bearer%20abc=")
    assert found.IKIRO_OTLP_HEADERS == {"x-tenant": "acme", "authorization": "Bearer abc="}


@pytest.mark.parametrize("variables", [{"IKIRO_LOG_FORMAT": "xml"}, {"IKIRO_TELEMETRY_SINK": "ftp://x"}])
def test_bad_value__stops_the_start(read, variables) -> None:
    with pytest.raises(ImproperlyConfigured):
        read(**variables)
    read()
