"""The OpenTelemetry SDK, and spans to an OTLP/HTTP collector. Imported only when one is configured.

The SDK makes, samples and describes the spans (``OTEL_SERVICE_NAME``, ``OTEL_RESOURCE_ATTRIBUTES``,
``OTEL_TRACES_SAMPLER`` hold as ever); they leave through ``core.egress`` on the event loop instead of the SDK's own
thread and client, to the operator's own address.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from gateway.core import egress
from gateway.core.errors import UpstreamError
from gateway.platform.telemetry.shipping import Shipper

log = structlog.get_logger(__name__)
_TIMEOUTS = egress.Timeouts(connect=3, first_byte=5, stall=5, total=10)
# Encoding holds the event loop: some 3 ms for this many.
_BATCH = 100


class Recorder(SpanProcessor):
    """Makes spans and ships the ended ones to ``endpoint`` (the full address, with its path)."""

    def __init__(self, endpoint: str, headers: Mapping[str, str]) -> None:
        named = {} if os.environ.get("OTEL_SERVICE_NAME") else {SERVICE_NAME: "ikiro-gateway"}
        # No exit hook of the SDK's: the lifespan flushes. No span holds more than the few attributes that we set.
        provider = TracerProvider(
            resource=Resource.create(named), shutdown_on_exit=False, span_limits=SpanLimits(max_attribute_length=256)
        )
        provider.add_span_processor(self)
        self._tracer = provider.get_tracer("ikiro.gateway")
        self._propagator = TraceContextTextMapPropagator()
        self._endpoint = endpoint
        self._headers = {**headers, "content-type": "application/x-protobuf", "user-agent": "ikiro-gateway"}
        self.shipper: Shipper[ReadableSpan] = Shipper("traces", self._send, batch=_BATCH)

    def server(self, name: str, traceparent: str, tracestate: str) -> trace.Span:
        """A request's span; a child of the caller's when it sent a context."""
        context = Context()
        if traceparent:
            context = self._propagator.extract({"traceparent": traceparent, "tracestate": tracestate}, context)
        return self._tracer.start_span(name, context, SpanKind.SERVER)

    def child(self, parent: trace.Span, name: str, *, client: bool = False) -> trace.Span:
        """A span under another; ``client`` for a call to somebody else."""
        kind = SpanKind.CLIENT if client else SpanKind.INTERNAL
        return self._tracer.start_span(name, trace.set_span_in_context(parent, Context()), kind)

    def traceparent(self, span: trace.Span) -> str:
        """The W3C header that carries a span on."""
        carrier: dict[str, str] = {}
        self._propagator.inject(carrier, trace.set_span_in_context(span, Context()))
        return carrier.get("traceparent", "")

    def failed(self, span: trace.Span) -> None:
        """Mark a span as an error, without a description: that might hold what must not be told."""
        span.set_status(StatusCode.ERROR)

    def on_end(self, span: ReadableSpan) -> None:
        """The SDK's call for each span that ended."""
        if span.context is not None and span.context.trace_flags.sampled:
            self.shipper.put(span)

    async def _send(self, spans: Sequence[Any]) -> None:
        body = encode_spans(spans).SerializeToString()
        call = egress.open("POST", self._endpoint, self._headers, body, trusted=True, timeouts=_TIMEOUTS)
        async with call as response:
            await response.read()
            if response.status in (429, 502, 503, 504):  # what OTLP calls retryable
                raise UpstreamError(f"The trace collector answers {response.status}.")
            if response.status >= 300:
                log.warning("telemetry.refused", outlet="traces", status=response.status, items=len(spans))
