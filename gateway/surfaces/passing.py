"""A pass-through's answer over HTTP: the model's bytes, and what the gateway has to say about them in headers."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable

from django.http import HttpResponse
from django.http.response import HttpResponseBase

from gateway.engine.chat import passthrough
from gateway.platform.providers.types import Forwarded
from gateway.surfaces import sse

# How a dialect tells in the middle of a stream that it ends before its time; given what was sent last.
Failure = Callable[[Exception, bytes], bytes]
_OURS = "x-ikiro-"


async def answered(passed: passthrough.Passed, *, stream: bool, failure: Failure) -> HttpResponseBase:
    """The answer, complete or as it comes."""
    response: HttpResponseBase
    if stream:
        response = sse.response(frames(passed, failure))
    else:
        response = HttpResponse(await passed.whole(), content_type="application/json")
    return noted(response, passed.forwarded)


def noted(response: HttpResponseBase, forwarded: Forwarded) -> HttpResponseBase:
    """The response with the headers in which a provider's wire says what it left out or estimated."""
    for name, value in forwarded.headers.items():
        if name.startswith(_OURS):
            response[name] = value
    return response


async def frames(passed: passthrough.Passed, failure: Failure) -> AsyncGenerator[bytes, None]:
    """A stream's frames, whose last one says so when it failed."""
    chunks, last = passed.stream(), b""
    try:
        async for chunk in chunks:
            last = chunk
            yield chunk
    except Exception as error:  # noqa: BLE001 - a stream that was promised ends with an error event, whatever failed
        yield failure(error, last)
    finally:
        await chunks.aclose()  # type: ignore[attr-defined]
