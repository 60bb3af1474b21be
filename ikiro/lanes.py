"""The slim lane: Django's URLs, requests, responses and async views without what a request of the API never uses.

Django's stock ASGI handler starts a thread for every request (its signals and ``close`` receivers are synchronous);
measured, that is two thirds of a request's cost. Operations of the API reach the database only through
``tenants.context.in_tenant``, so the slim handler leaves the thread, the signals and the middleware out, reads a body
no further than its route's class allows, and cancels the work when the client hangs up.
"""

from __future__ import annotations

import asyncio
import inspect
import io
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import unquote

from django.core.handlers.asgi import ASGIRequest
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import get_resolver

from gateway.core.errors import PayloadTooLarge
from gateway.surfaces import asgi
from gateway.surfaces.asgi import Receive, Scope, Send

Headers = Iterable[tuple[bytes, bytes]]
View = Callable[..., Any]
_WATCH_AFTER_S = 0.2
# Stands for an encoded slash while a path is routed; no decoded path has it, for it is half of a pair.
_SLASH = "\udc2f"
_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})


class ClientGone(Exception):
    """The client hung up before its request was complete."""


class SlimHandler:
    """``body_limit(path)`` gives the bytes a path may carry; a larger body is left unread and noted on the request.
    ``finish`` completes an answer that came from no operation (no such path, wrong method, health); ``crashed`` makes
    one of an error that no operation translated; ``shortcut`` finds what answers a method at a fixed path;
    ``preflight`` answers a browser that asks before it calls."""

    def __init__(
        self,
        *,
        body_limit: Callable[[str], int],
        finish: Callable[[HttpRequest, HttpResponse], HttpResponse],
        crashed: Callable[[HttpRequest, Exception], HttpResponse],
        shortcut: Callable[[View, str], View],
        preflight: Callable[[Headers], HttpResponse | None],
    ) -> None:
        self._body_limit = body_limit
        self._finish = finish
        self._crashed = crashed
        self._shortcut = shortcut
        self._preflight = preflight
        self._views: dict[tuple[str, str], View] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body, too_large = await read_body(receive, self._body_limit(scope["path"]))
        except ClientGone:
            return
        request = ASGIRequest(scope, io.BytesIO(body))
        request._body = body
        request.body_error = too_large  # type: ignore[attr-defined]
        request.begun = scope.get(asgi.BEGUN)  # type: ignore[attr-defined]
        watch = Watch(receive)
        try:
            await self._serve(request, send)
        except asyncio.CancelledError:
            if not watch.client_gone:
                raise  # the server ends this request, not its client
        finally:
            watch.stop()

    async def _serve(self, request: ASGIRequest, send: Send) -> None:
        response: Any
        try:
            response = await self._answer(request)
        except Http404:
            response = HttpResponse(status=404)
        except Exception as error:  # noqa: BLE001 - the last place where a failure can still become an answer
            response = self._crashed(request, error)
        if not response.has_header("X-Request-Id"):
            response = self._finish(request, response)
        if response.streaming:
            await self._stream(response, send)
            return
        await send({"type": "http.response.start", "status": response.status_code, "headers": _headers(response)})
        await send({"type": "http.response.body", "body": response.content})

    async def _answer(self, request: ASGIRequest) -> Any:
        path = routed(request.scope)
        method = str(request.method)
        if method == "OPTIONS" and (asked := self._preflight(request.scope["headers"])) is not None:
            return asked
        view, parameters = self._views.get((method, path)), {}
        if view is None:
            match = get_resolver().resolve(path)
            view = match.func
            parameters = {name: _with_slashes(value) for name, value in match.kwargs.items()}
            if not parameters and method in _METHODS:  # fixed: always the same view, and there are only so many
                view = self._views[method, path] = self._shortcut(view, method)
        answer = view(request, **parameters)
        return await answer if inspect.isawaitable(answer) else answer

    async def _stream(self, response: Any, send: Send) -> None:
        await send({"type": "http.response.start", "status": response.status_code, "headers": _headers(response)})
        # Not ``streaming_content``: its wrapper would leave our iterator unclosed when the client hangs up.
        await asgi.send_chunks(response._iterator, send)


def routed(scope: Mapping[str, Any]) -> str:
    """The path as URLs are matched against: decoded, but an encoded slash belongs to the segment it stands in, so that
    an id may have slashes in it wherever it stands."""
    raw: bytes = scope.get("raw_path") or b""
    if b"%2F" not in raw and b"%2f" not in raw:
        return str(scope["path"])
    return unquote(raw.decode("ascii").replace("%2f", "%2F").replace("%2F", _SLASH))


def _with_slashes(value: Any) -> Any:
    return value.replace(_SLASH, "/") if isinstance(value, str) else value


async def read_body(receive: Receive, limit: int) -> tuple[bytes, PayloadTooLarge | None]:
    """The whole body, or nothing and why when it is larger than ``limit`` bytes. Raises ClientGone."""
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            return b"", PayloadTooLarge(
                f"The body is larger than the {limit} bytes this route takes.", extra={"limit_bytes": limit}
            )
        chunks.append(chunk)
        if not message.get("more_body", False):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks), None


def plain_headers(response: HttpResponseBase) -> list[tuple[bytes, bytes]]:
    """The answer's headers and cookies as ASGI wants them, without a length."""
    pairs = [(name.lower().encode("ascii"), value.encode("latin1")) for name, value in response.items()]
    pairs += [(b"set-cookie", morsel.OutputString().encode("ascii")) for morsel in response.cookies.values()]
    return [pair for pair in pairs if pair[0] != b"content-length"]


def _headers(response: HttpResponse) -> list[tuple[bytes, bytes]]:
    # ``_store`` is what ``items()`` would walk with a look-up for each header.
    stored = response.headers._store.values()
    headers = [(name.lower().encode("ascii"), value.encode("latin1")) for name, value in stored]
    if not response.streaming and not response.has_header("content-length"):
        headers.append((b"content-length", str(len(response.content)).encode()))
    return headers


class Watch:
    """Cancels the current task when its client goes away.

    It begins to look after a moment only: most requests are over by then, and a task for each would cost them more than
    their parsing does. A client that left before is noticed at once when it begins.
    """

    def __init__(self, receive: Receive) -> None:
        self.client_gone = False
        self._receive = receive
        self._serving = asyncio.current_task()
        self._task: asyncio.Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(_WATCH_AFTER_S, self._begin)

    def stop(self) -> None:
        """The request is over."""
        self._timer.cancel()
        if self._task is not None:
            self._task.cancel()

    def _begin(self) -> None:
        self._task = asyncio.create_task(self._look(), name="client-watch")

    async def _look(self) -> None:
        await asgi.hung_up(self._receive)
        if self._serving is not None:
            self.client_gone = True
            self._serving.cancel()
