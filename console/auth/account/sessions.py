"""Where the account is signed in, and ending it there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.http import HttpResponse

from console.auth import devices
from console.auth.account import frame
from console.errors import signed_out
from console.gateway import AccountsAnswer, tokens
from console.pages import account_page
from console.rendering import redirect
from console.requests import PageRequest

_TEMPLATE = "console/account/sessions.html"
_PAGE = "/account/sessions"


@dataclass(frozen=True, slots=True)
class SignedInAt:
    """One session as its person knows it."""

    id: int
    device: str
    symbol: str
    address: str
    seen_at: datetime
    began_at: datetime
    current: bool


@account_page
async def sessions(request: PageRequest) -> HttpResponse:
    answer = await request.accounts.get("auth/sessions")
    if not answer.ok:
        return signed_out(request)
    return frame.show(request, _TEMPLATE, {"sessions": _read(answer)})


@account_page
async def end(request: PageRequest) -> HttpResponse:
    """Ends the session named by ``id``; without one, all but this."""
    if request.method != "POST":
        return redirect(request, _PAGE)
    listed = await request.accounts.get("auth/sessions")
    if not listed.ok:
        return signed_out(request)
    wanted = request.POST.get("id")
    chosen = [one for one in _read(listed) if (str(one.id) == wanted if wanted else not one.current)]
    if not chosen:
        return redirect(request, _PAGE, toast="Nothing to end: it was over already.", level="info")
    answer = await request.accounts.delete("auth/sessions", {"sessions": [one.id for one in chosen]})
    if any(one.current for one in chosen):
        if request.visit.token is not None:
            tokens.forget(request.visit.token)
        request.visit.sign_out()
        return redirect(request, "/login", toast="You are signed out.")
    if not answer.ok:
        return redirect(request, _PAGE, toast="The session could not be ended. Try again.", level="bad")
    toast = "The session is ended." if len(chosen) == 1 else f"{len(chosen)} sessions are ended."
    return redirect(request, _PAGE, toast=toast)


def _read(answer: AccountsAnswer) -> list[SignedInAt]:
    """This one first, then the one used last."""
    rows: list[dict[str, Any]] = answer.data or []
    found = [
        SignedInAt(
            id=int(row["id"]),
            device=devices.describe(row["user_agent"]),
            symbol=devices.symbol(row["user_agent"]),
            address=str(row["ip"]),
            seen_at=datetime.fromtimestamp(row.get("last_seen_at") or row["created_at"], UTC),
            began_at=datetime.fromtimestamp(row["created_at"], UTC),
            current=bool(row["is_current"]),
        )
        for row in rows
    ]
    return sorted(found, key=lambda one: (not one.current, -one.seen_at.timestamp()))
