"""What the operator sees of a running installation: logs, product events, traces, metrics."""

from __future__ import annotations

import os
from urllib.parse import unquote

from django.core.exceptions import ImproperlyConfigured

from ikiro.settings import environment as env

# json: one object a line; console: for people.
IKIRO_LOG_FORMAT = env.text("IKIRO_LOG_FORMAT", "json")
IKIRO_TELEMETRY_SINK = env.text("IKIRO_TELEMETRY_SINK", "none")
# Who may scrape /metrics from elsewhere than this machine.
IKIRO_METRICS_TOKEN = env.text("IKIRO_METRICS_TOKEN", "")

if IKIRO_LOG_FORMAT not in {"json", "console"}:
    raise ImproperlyConfigured(f"IKIRO_LOG_FORMAT={IKIRO_LOG_FORMAT!r} must be json or console.")
if IKIRO_TELEMETRY_SINK not in {"none", "log"} and not IKIRO_TELEMETRY_SINK.startswith(("http://", "https://")):
    raise ImproperlyConfigured("IKIRO_TELEMETRY_SINK must be none, log, or an http(s) address.")


def _traces_endpoint() -> str:
    """Where spans go: ours, else OpenTelemetry's own variables; the general ones name a base without the path."""
    exact = os.environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "")
    base = env.text("IKIRO_OTLP_ENDPOINT", "") or ("" if exact else os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", ""))
    if not base:
        return exact
    return base if base.endswith("/v1/traces") else base.rstrip("/") + "/v1/traces"


def _traces_headers() -> dict[str, str]:
    """``OTEL_EXPORTER_OTLP_HEADERS``: ``name=value,…``, values percent-encoded, where a collector asks who sends."""
    raw = os.environ.get("OTEL_EXPORTER_OTLP_TRACES_HEADERS") or os.environ.get("OTEL_EXPORTER_OTLP_HEADERS", "")
    pairs = (pair.partition("=") for pair in raw.split(",") if "=" in pair)
    return {name.strip().lower(): unquote(value.strip()) for name, _, value in pairs}


IKIRO_OTLP_ENDPOINT = _traces_endpoint()
IKIRO_OTLP_HEADERS = _traces_headers()
