"""The account itself (sign-up, sign-in, second factors, sessions): allauth's headless API, app client.

Its 401 is not a failure but the next step of a flow, so answers come back as they are; only 5xx and silence raise.
Field errors are in ``answer.errors``, pending steps in ``answer.flows``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import httpx

from console.gateway import http, tokens
from console.gateway.errors import ApiError, GatewayDown
from console.gateway.person import forwarded

BASE = "/_allauth/app/v1"


@dataclass(frozen=True, slots=True)
class AccountsAnswer:
    """Status and body. ``body`` is the whole JSON object: ``data``, ``meta``, ``errors``."""

    status: int
    body: dict[str, Any] = field(default_factory=dict)
    retry_after: float | None = None

    @property
    def ok(self) -> bool:
        return self.status < 300

    @property
    def data(self) -> Any:
        return self.body.get("data") or {}

    @property
    def meta(self) -> dict[str, Any]:
        return self.body.get("meta") or {}

    @property
    def errors(self) -> list[dict[str, Any]]:
        """``[{"code", "message", "param"}]``."""
        return self.body.get("errors") or []

    @property
    def flows(self) -> list[dict[str, Any]]:
        """Steps that are open now: ``[{"id": "mfa_authenticate", "is_pending": true, …}]``."""
        return self.data.get("flows", []) if isinstance(self.data, dict) else []

    @property
    def pending(self) -> str | None:
        """The id of the step that must be taken next."""
        return next((flow["id"] for flow in self.flows if flow.get("is_pending")), None)


class AccountsClient:
    """Calls with the visit's session token; a token that an answer brings replaces it at once."""

    def __init__(self, request: Any) -> None:
        self._request = request

    async def get(self, path: str, *, headers: dict[str, str] | None = None, **query: Any) -> AccountsAnswer:
        """``headers`` carry what must not stand in an address: the key of a link."""
        return await self._call("GET", path, params=query, more=headers)

    async def post(self, path: str, body: Any = None, *, headers: dict[str, str] | None = None) -> AccountsAnswer:
        return await self._call("POST", path, json=body if body is not None else {}, more=headers)

    async def put(self, path: str, body: Any) -> AccountsAnswer:
        return await self._call("PUT", path, json=body)

    async def patch(self, path: str, body: Any) -> AccountsAnswer:
        return await self._call("PATCH", path, json=body)

    async def delete(self, path: str, body: Any = None) -> AccountsAnswer:
        return await self._call("DELETE", path, json=body)

    async def _call(
        self, method: str, path: str, *, more: dict[str, str] | None = None, **options: Any
    ) -> AccountsAnswer:
        visit = self._request.visit
        headers = {**forwarded(self._request), **(more or {})}
        if visit.token:
            headers["X-Session-Token"] = visit.token
        options = {name: value for name, value in options.items() if value is not None}
        response, _ = await http.exchange(method, f"{BASE}/{path.lstrip('/')}", headers=headers, **options)
        try:
            body = response.json() if response.content else {}
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise GatewayDown(str(http.shared().base_url), f"its accounts answered {response.status_code}")
        waits = response.headers.get("retry-after", "")
        retry_after = float(waits) if waits.isdigit() else None
        if response.status_code >= 500:
            raise ApiError(response.status_code, _problem(body, response), retry_after=retry_after)
        answer = AccountsAnswer(response.status_code, body, retry_after)
        self._follow(answer)
        return answer

    def _follow(self, answer: AccountsAnswer) -> None:
        """Keep the visit in step with the session it stands for. 410: that session is over."""
        visit = self._request.visit
        given = answer.meta.get("session_token")
        if answer.status == 410 and visit.token:
            tokens.forget(visit.token)
            visit.sign_out()
        if given and given != visit.token:
            visit.token = given
        if "is_authenticated" in answer.meta and visit.token:
            visit.signed_in = bool(answer.meta["is_authenticated"])


def _problem(body: dict[str, Any], response: httpx.Response) -> dict[str, Any]:
    """Trouble of the accounts in the shape of the API's problems."""
    said: dict[str, Any] = next(iter(body.get("errors") or ()), {})
    known = {"code": said.get("code"), "title": "That did not work", "detail": said.get("message")}
    return {**known, "request_id": response.headers.get("x-request-id"), **body}
