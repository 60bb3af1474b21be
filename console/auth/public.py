"""Calls that need nobody to be signed in. They are the page's own, so the API drawer never shows them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from console.gateway import AccountsAnswer, Result, http
from console.gateway.answers import unwrap
from console.gateway.person import forwarded
from console.requests import PageRequest


async def get(request: PageRequest, path: str, **query: str) -> Result:
    """Raises ApiError and GatewayDown like every call."""
    response, _ = await http.exchange("GET", path, params=query, headers=forwarded(request))
    return unwrap(response)


async def post(request: PageRequest, path: str, body: dict[str, Any]) -> Result:
    """Raises ApiError and GatewayDown like every call."""
    response, _ = await http.exchange("POST", path, json=body, headers=forwarded(request))
    return unwrap(response)


async def anyhow(call: Callable[[], Awaitable[AccountsAnswer]]) -> AccountsAnswer:
    """A call of the accounts that counts with or without a session: once more without, when the session is over."""
    answer = await call()
    return await call() if answer.status == 410 else answer
