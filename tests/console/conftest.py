"""The console's pages through its own middleware, in front of a scripted gateway. No socket, no database."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from django.test import AsyncClient

from console import session
from console.gateway import http, tokens
from console.sealing import seal
from tests.console.scripted import Scripted


class Browser:
    """A visitor who keeps cookies. ``htmx="list"`` asks like htmx for the part that fills ``#list``."""

    def __init__(self, *, csrf: bool = False) -> None:
        self.client = AsyncClient(enforce_csrf_checks=csrf)

    def sign_in(self, home: str, **meta: Any) -> Browser:
        self.client.cookies[session.COOKIE] = seal([f"session-{home}", True, meta], "session")
        return self

    @property
    def session(self) -> Any:
        """What the cookie holds now: ``[token, signed_in, meta]``."""
        cookie = self.client.cookies.get(session.COOKIE)
        from console.sealing import unseal

        return unseal(cookie.value, "session", max_age=60) if cookie else None

    def get(self, path: str, query: Any = None, *, htmx: str | None = None, headers: Any = None) -> Any:
        return asyncio.run(self.client.get(path, query or {}, headers=_headers(htmx, headers)))

    def post(self, path: str, data: Any = None, *, htmx: str | None = None, headers: Any = None) -> Any:
        return asyncio.run(self.client.post(path, data or {}, headers=_headers(htmx, headers)))


def _headers(htmx: str | None, more: Any) -> dict[str, str]:
    asks = {"HX-Request": "true", "HX-Target": htmx} if htmx is not None else {}
    return {**asks, **(more or {})}


@pytest.fixture(autouse=True)
def console_settings(settings: Any) -> None:
    """The console's lane: its own middleware and URLs."""
    settings.MIDDLEWARE = settings.CONSOLE_MIDDLEWARE
    settings.ROOT_URLCONF = "console.root"


@pytest.fixture
def scripted(settings: Any) -> Iterator[Scripted]:
    gateway = Scripted()
    settings.IKIRO_GATEWAY_URL = settings.IKIRO_API_URL = "http://gateway.test"
    http.transport, http._client = httpx.ASGITransport(app=gateway), None
    tokens._tokens.clear()
    yield gateway
    http.transport, http._client = None, None
    tokens._tokens.clear()


@pytest.fixture
def browser() -> Browser:
    return Browser()
