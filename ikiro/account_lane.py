"""The lane of ``/_allauth/`` and ``/accounts/``: stock Django, whole requests in threads of its own.

Allauth is synchronous and asks the database many times a request, so a request runs from start to end in one thread
and in the public scope: no hop per middleware, one connection, given back at the end. At most
``IKIRO_ACCOUNT_THREADS`` run at once, which bounds the memory of password hashing too; a short queue waits, the rest
is 503. The API's own threads are never taken.
"""

from __future__ import annotations

import asyncio
import io

import structlog
from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from django.core.handlers.base import BaseHandler
from django.http.response import HttpResponseBase

from gateway.core import ids
from gateway.surfaces.asgi import Receive, Scope, Send
from ikiro.lanes import ClientGone, plain_headers, read_body
from tenants.accounts.errors import AccountsBusy
from tenants.accounts.middleware import as_trouble, error_response, gateway_error
from tenants.context import in_accounts

log = structlog.get_logger(__name__)
# The largest honest body is a passkey's registration or a SAML assertion.
_BODY_LIMIT = 256 * 1024
_QUEUE_S = 5.0


class AccountLane(BaseHandler):
    """An ASGI application over Django's synchronous handler and ``settings.MIDDLEWARE``."""

    def __init__(self) -> None:
        super().__init__()
        self.load_middleware()
        self._slots = asyncio.Semaphore(settings.IKIRO_ACCOUNT_THREADS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body, too_large = await read_body(receive, _BODY_LIMIT)
        except ClientGone:
            return
        response = gateway_error(too_large) if too_large else await self._answer(scope, body)
        response.headers.setdefault("X-Request-Id", ids.public("req", ids.uuid7()))
        content = b"".join(response) if response.streaming else response.content  # type: ignore[attr-defined]
        await send({
            "type": "http.response.start", "status": response.status_code,
            "headers": [*plain_headers(response), (b"content-length", str(len(content)).encode())],
        })  # fmt: skip
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else content})

    async def _answer(self, scope: Scope, body: bytes) -> HttpResponseBase:
        try:
            async with asyncio.timeout(_QUEUE_S):
                await self._slots.acquire()
        except TimeoutError:
            return gateway_error(AccountsBusy("Too many people sign in at this moment."))
        try:
            return await in_accounts(self._whole, scope, body)
        except Exception as error:
            trouble = as_trouble(error)
            if trouble is None:
                log.error("accounts_failed", path=scope["path"], exc_info=error)
                return error_response(500, "internal_error", "Something went wrong here; it was noted.")
            return gateway_error(trouble)
        finally:
            self._slots.release()

    def _whole(self, scope: Scope, body: bytes) -> HttpResponseBase:
        request = ASGIRequest(scope, io.BytesIO(body))
        return self.get_response(request)
