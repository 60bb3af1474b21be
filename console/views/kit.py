"""Every component on one page, in every state: for looking at, for the accessibility tests, for who builds a page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.http import Http404, HttpResponse

from console.errors import Trouble
from console.forms import Form
from console.gateway import Call
from console.pages import public_page
from console.permissions import May
from console.rendering import render
from console.requests import PageRequest


@public_page
async def kit(request: PageRequest) -> HttpResponse:
    """Raises Http404 unless ``IKIRO_CONSOLE_KIT=1``."""
    if not (settings.DEBUG or settings.IKIRO_CONSOLE_KIT):
        raise Http404
    request.api_calls.append(_CALL)
    return render(request, "console/kit.html", _samples())


_CALL = Call(
    "POST", "/v1/chat", {}, {"model": "ikiro/sandbox", "messages": [{"role": "user", "content": "Hello"}]},
    200, 41.2, "req_01example", "http://127.0.0.1:8000",
)  # fmt: skip


def _samples() -> dict[str, Any]:
    now = datetime.now(UTC)
    wrong = Form({"name": "", "email": "owner@acme.example"})
    wrong.add("name", "Give it a name of 1 to 100 characters.")
    return {
        "form": Form({"name": "web-prod", "email": "owner@acme.example", "role": "developer", "note": "Two\nlines"}),
        "wrong": wrong,
        "roles": [("owner", "Owner"), ("developer", "Developer"), ("viewer", "Viewer")],
        "scopes": [
            ("chat", "Chat", "Answers as a persona"),
            ("memories:read", "Read memories", "Shows what is remembered"),
            ("keys:write", "Manage keys", "Makes and revokes keys"),
        ],
        "chosen": ["chat", "memories:read"],
        "states": ["active", "pending", "rotating", "idle", "failed", "revoked", "info"],
        "soon": now + timedelta(minutes=40),
        "later": now + timedelta(days=2, hours=5),
        "earlier": now - timedelta(hours=3),
        "refused": May(False, "Ask an admin or an owner."),
        "trouble": Trouble(429, "Too many requests", "Wait 12 seconds; the limit is 60 per minute.", "rate_limited",
                           "req_01example", again=True),
        "tabs": [("All", "#all", True), ("Pending", "#pending", False), ("Failed", "#failed", False)],
        "rows": [
            {"id": "req_01k0a", "status": 200, "model": "ikiro/sandbox", "ms": 41, "cost": 4100, "at": now},
            {"id": "req_01k0b", "status": 429, "model": "openai/gpt-5-mini", "ms": 3, "cost": None, "at": now},
            {"id": "req_01k0c", "status": 200, "model": "openai/gpt-5-mini", "ms": 1812, "cost": 18_100_000, "at": now},
        ],
        "call": _CALL,
        "secret": "ik_test_0000000000000000000000000000000000",
    }  # fmt: skip
