"""The gateway's API for one page: as the person who is signed in, in one organization, each call recorded."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import httpx
from django.conf import settings

from console.gateway import http, tokens
from console.gateway.answers import Result, unwrap
from console.gateway.calls import Call, masked
from console.gateway.errors import ApiError, GatewayDown
from console.gateway.person import forwarded

_STREAM_TIMEOUT = httpx.Timeout(120.0, connect=3.0)


class GatewayClient:
    """``organization`` None is the account itself: the person's organizations, invitations, profile.

    Every method raises ApiError for a refusal and GatewayDown when there is no gateway to ask; ``@page`` turns both
    into a page, so a view catches only what it has something better for.
    """

    def __init__(self, request: Any, organization: str | None, *, silent: bool = False) -> None:
        """``silent`` calls are the frame's, not the page's: the API drawer leaves them out."""
        self._request = request
        self._organization = organization
        self._calls: list[Call] = [] if silent else request.api_calls

    async def get(self, path: str, **query: Any) -> Result:
        """Arguments that are None or empty are left out of the query."""
        return await self._call("GET", path, query=query)

    async def post(self, path: str, body: Any = None, *, idempotency_key: str | None = None, **query: Any) -> Result:
        return await self._call("POST", path, body=body, query=query, idempotency_key=idempotency_key)

    async def put(self, path: str, body: Any, **query: Any) -> Result:
        return await self._call("PUT", path, body=body, query=query)

    async def patch(self, path: str, body: Any, **query: Any) -> Result:
        return await self._call("PATCH", path, body=body, query=query)

    async def delete(self, path: str, body: Any = None, **query: Any) -> Result:
        return await self._call("DELETE", path, body=body, query=query)

    async def stream(self, path: str, body: Any) -> AsyncGenerator[tuple[str, Any]]:
        """POST and read the answer's server-sent events as ``(event, data)``. A refusal before the first one raises
        ApiError. Close the generator (``aclosing``) to hang up."""
        headers = {**await self._headers(), "Accept": "text/event-stream"}
        url = str(http.shared().base_url)
        record = self._record("POST", path, {}, body)
        try:
            async with http.shared().stream(
                "POST", path, json=body, headers=headers, timeout=_STREAM_TIMEOUT
            ) as response:
                self._finish(record, response, 0.0)
                if not response.is_success:
                    await response.aread()
                    unwrap(response)
                async with aclosing(_events(response)) as events:
                    async for event in events:
                        yield event
        except httpx.HTTPError as error:
            raise GatewayDown(url, f"the stream broke ({type(error).__name__})") from error

    async def whoami(self) -> tokens.UserToken:
        """The person and their organization, as the gateway said when it made the token in use."""
        token = self._request.visit.token
        if token is None:
            raise ApiError(401, {"code": "session_invalid", "title": "Not signed in"})
        return await tokens.user_token(token, self._organization, forwarded(self._request))

    async def _headers(self) -> dict[str, str]:
        return {**forwarded(self._request), "Authorization": f"Bearer {(await self.whoami()).token}"}

    async def _call(
        self, method: str, path: str, *, query: dict[str, Any], body: Any = None, idempotency_key: str | None = None
    ) -> Result:
        query = {name: value for name, value in query.items() if value not in (None, "", [])}
        try:
            return await self._once(method, path, query, body, idempotency_key)
        except ApiError as error:
            if error.status != 401 or self._request.visit.token is None:
                raise
            # The token may have ended early (key rotation, role change): a new one says what is true now.
            tokens.forget(self._request.visit.token)
        return await self._once(method, path, query, body, idempotency_key)

    async def _once(
        self, method: str, path: str, query: dict[str, Any], body: Any, idempotency_key: str | None
    ) -> Result:
        headers = await self._headers()
        if idempotency_key:
            headers["Idempotency-Key"] = idempotency_key
        sent = {"json": body} if body is not None else {}
        record = self._record(method, path, query, body)
        response, ms = await http.exchange(method, path, params=query, headers=headers, **sent)
        self._finish(record, response, ms)
        return unwrap(response)

    def _record(self, method: str, path: str, query: dict[str, Any], body: Any) -> int:
        """Note the call before it is made, so that one without an answer shows too. Returns its place."""
        self._calls.append(Call(method, path, query, masked(body), base_url=settings.IKIRO_API_URL))
        return len(self._calls) - 1

    def _finish(self, place: int, response: httpx.Response, ms: float) -> None:
        noted = self._calls[place]
        self._calls[place] = Call(
            noted.method, noted.path, noted.query, noted.body, response.status_code, ms,
            response.headers.get("x-request-id", ""), noted.base_url,
        )  # fmt: skip


async def _events(response: httpx.Response) -> AsyncGenerator[tuple[str, Any]]:
    """Server-sent events; data that is JSON is read, other data (``[DONE]``) stays text."""
    event, data = "message", []
    async for line in response.aiter_lines():
        if line.startswith("event:"):
            event = line[6:].strip()
        elif line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
        elif not line and data:
            text = "\n".join(data)
            try:
                yield event, json.loads(text)
            except ValueError:
                yield event, text
            event, data = "message", []
