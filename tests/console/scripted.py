"""A gateway that answers as told: for what the console makes of answers that the real one gives only in trouble.

Two people, one organization each: ``session-acme`` is an owner of acme, ``session-globex`` of globex. Neither sees the
other's. Every call is kept in ``calls``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from console.nav import ITEMS

ORGANIZATIONS = {
    slug: {"id": f"org_{slug}", "slug": slug, "name": slug.title(), "plan": "free", "role": "owner", "state": "ready"}
    for slug in ("acme", "globex")
}
ACTIONS = {item.action: True for _, items in ITEMS for item in items if item.action} | {"keys.create": True}
_EMPTY: dict[str, Any] = {"data": [], "next_cursor": None}


@dataclass(frozen=True)
class Asked:
    """One call that came in."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any

    @property
    def slug(self) -> str:
        """The organization of its user token."""
        return self.headers.get("authorization", "").rpartition(".")[2]


Answer = tuple[int, Any] | tuple[int, Any, dict[str, str]]
Script = Answer | Callable[[Asked], Answer]


def problem(status: int, code: str, **more: Any) -> Answer:
    """A refusal as the gateway words it."""
    body = {"title": "Refused", "detail": f"Detail of {code}.", "code": code, "request_id": "req_scripted", **more}
    headers = {"retry-after": str(more["retry_after"])} if "retry_after" in more else {}
    return status, body, headers


@dataclass
class Scripted:
    """An ASGI application. ``on("GET", "/v1/keys", (200, {...}))`` says what it answers."""

    answers: dict[tuple[str, str], Script] = field(default_factory=dict)
    calls: list[Asked] = field(default_factory=list)
    token_lifetime: int = 300

    def __post_init__(self) -> None:
        limits = {"quotas": [{"scope": "organization", "unit": "calls", "limit": 1000, "used": 812, "reset_at": None}],
                  "rates": [{"scope": "organization", "limit": 60, "remaining": 59, "reset_s": 1, "window_s": 60}],
                  "budgets": [], "spent_micros": 4100}  # fmt: skip
        self.on("POST", "/v1/auth/token", self._token)
        self.on("GET", "/v1/organizations", lambda asked: (200, {"data": [ORGANIZATIONS[self._home(asked)]]}))
        self.on("GET", "/v1/me/permissions", (200, {"role": "owner", "scopes": [], "actions": ACTIONS, "why": {}}))
        self.on("GET", "/v1/limits", (200, limits))
        self.on("GET", "/v1/models", (200, {"data": [{"id": "ikiro/sandbox"}], "object": "list"}))
        self.on("GET", "/v1/requests", (200, _EMPTY))
        self.on("GET", "/v1/proposals", (200, _EMPTY))
        self.on("GET", "/healthz", (200, {"status": "ok"}))

    def on(self, method: str, path: str, answer: Script) -> None:
        self.answers[method, path] = answer

    def asked(self, path: str) -> list[Asked]:
        return [call for call in self.calls if call.path == path]

    def _home(self, asked: Asked) -> str:
        return asked.headers["authorization"].split(".")[1]

    def _token(self, asked: Asked) -> Answer:
        home = asked.headers.get("x-session-token", "").removeprefix("session-")
        wanted = asked.body["organization"]
        if home not in ORGANIZATIONS:
            return problem(401, "session_invalid")
        if wanted not in (None, home):
            return problem(404, "organization_not_found")
        user = {"id": f"usr_{home}", "email": f"owner@{home}.example", "name": "Owner"}
        return 200, {
            "token": f"token.{home}.{wanted or ''}", "expires_in": self.token_lifetime,
            "user": user, "organization": ORGANIZATIONS.get(wanted),
        }  # fmt: skip

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        query = dict(parse_qsl(scope["query_string"].decode()))
        asked = Asked(scope["method"], scope["path"], query, headers, json.loads(body) if body else None)
        self.calls.append(asked)
        script = self.answers.get((asked.method, asked.path), problem(404, "no_such_path"))
        status, answer, *more = script(asked) if callable(script) else script
        raw = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        sent = {"content-type": "application/json", "x-request-id": "req_scripted", **(more[0] if more else {})}
        pairs = [(name.encode(), value.encode()) for name, value in sent.items()]
        await send({"type": "http.response.start", "status": status, "headers": pairs})
        await send({"type": "http.response.body", "body": raw})
