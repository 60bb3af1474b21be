"""Spans of a request, explicit and cheap: the request's own span hangs on its ``Call``, everything else is its child.

No ambient context is used: async generators would carry it to the wrong task. Without an exporter ``call.trace`` is
None and each function here returns after one comparison. Attributes are ids, names and numbers; an error is told by its
code or type, never by its message.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

from django.conf import settings

from gateway.core import serving
from gateway.core.endpoint import Call
from gateway.core.errors import GatewayError

if TYPE_CHECKING:
    from gateway.platform.telemetry.otel import Recorder
    from gateway.platform.telemetry.shipping import Shipper

_recorder: Recorder | None = None


class Nothing:
    """The span of a request that nobody traces."""

    __slots__ = ()

    def set(self, **attributes: Any) -> None:
        """Nothing to note it on."""

    def fail(self, kind: str) -> None:
        """Nothing to note it on."""

    def end(self, error: BaseException | None = None) -> None:
        """Nothing to end."""

    def __enter__(self) -> Nothing:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to end."""


class Span(Nothing):
    """A recorded span. Attribute names are given with ``__`` for a dot: ``gen_ai__request__model="gpt-4o"``."""

    __slots__ = ("otel",)

    def __init__(self, otel: Any) -> None:
        self.otel = otel

    def set(self, **attributes: Any) -> None:
        for name, value in attributes.items():
            if value is not None:
                self.otel.set_attribute(name.replace("__", "."), value)

    def fail(self, kind: str) -> None:
        """It failed, for a reason of this code or type."""
        _failed(self.otel, kind)

    def end(self, error: BaseException | None = None) -> None:
        """End it, once."""
        if error is not None:
            _failed(self.otel, error.code if isinstance(error, GatewayError) else type(error).__name__)
        self.otel.end()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end(error)


NOTHING = Nothing()


def configure() -> Shipper[Any] | None:
    """Begin to record, when an OTLP endpoint is configured; the caller runs the shipper. The SDK is loaded here."""
    global _recorder
    if not settings.IKIRO_OTLP_ENDPOINT:
        _recorder = None
        return None
    from gateway.platform.telemetry.otel import Recorder  # noqa: PLC0415 - 4.5 MB that most processes never need

    _recorder = Recorder(settings.IKIRO_OTLP_ENDPOINT, settings.IKIRO_OTLP_HEADERS)
    return _recorder.shipper


def recording() -> bool:
    """Whether requests are traced in this process."""
    return _recorder is not None


def serve(call: Call, meta: Mapping[str, Any], method: str, route: str) -> None:
    """Begin a request's own span, under the caller's ``traceparent`` if it sent a sound one."""
    traceparent = meta.get("HTTP_TRACEPARENT", "")
    if traceparent and not serving.sound(traceparent):
        traceparent = ""
    if _recorder is None:
        if traceparent:
            serving.upstream.set(traceparent)
        return
    call.trace = _recorder.server(f"{method} {route}", traceparent, meta.get("HTTP_TRACESTATE", ""))
    Span(call.trace).set(http__request__method=method, http__route=route, ikiro__request_id=str(call.request_id))


def span(call: Call, name: str, **attributes: Any) -> Nothing:
    """``with span(call, "recall") as one: …; one.set(cache_hit=True)``: a step of the request."""
    if call.trace is None or _recorder is None:
        return NOTHING
    begun = Span(_recorder.child(call.trace, name))
    begun.set(**attributes)
    return begun


def model(call: Call, operation: str, *, provider: str, model: str, stream: bool | None = None) -> Nothing:
    """The span around a call to a model, which the call upstream carries on. Whoever begins it must end it."""
    if call.trace is None or _recorder is None:
        return NOTHING
    begun = Span(_recorder.child(call.trace, f"{operation} {model}", client=True))
    begun.set(
        gen_ai__operation__name=operation,
        gen_ai__provider__name=provider,
        gen_ai__request__model=model,
        gen_ai__request__stream=stream,
    )
    serving.upstream.set(_recorder.traceparent(begun.otel))
    return begun


def finish(call: Call, status: int) -> None:
    """End the request's span, once. Who called is known by now; what failed is told by its code."""
    ended, call.trace = call.trace, None
    if ended is None:
        return
    one = Span(ended)
    principal = call.principal
    one.set(http__response__status_code=status, ikiro__surface=call.surface)
    if principal is not None:
        one.set(ikiro__organization_id=principal.ref.public_id, ikiro__caller_id=principal.grant.public_id)
    if status >= 500 or call.failure is not None:
        code = call.failure.code if isinstance(call.failure, GatewayError) else str(status)
        if status >= 500:
            _failed(ended, code)
        else:  # the server did what it should; the standard keeps such a span's status unset
            one.set(error__type=code)
    ended.end()


async def follow(call: Call, status: int, chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """A streamed answer's chunks; the request's span ends when they do, however that is."""
    try:
        async for chunk in chunks:
            yield chunk
    finally:
        await chunks.aclose()  # type: ignore[attr-defined]
        finish(call, status)


def _failed(otel: Any, kind: str) -> None:
    otel.set_attribute("error.type", kind)
    if _recorder is not None:
        _recorder.failed(otel)
