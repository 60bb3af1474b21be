"""Prove once more who you are, before what would hand the account to whoever sits here."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import quote

from django.http import HttpResponse, JsonResponse

from console import errors
from console.auth.answers import refused
from console.auth.sign_in import credential
from console.forms import Form
from console.gateway import AccountsAnswer, tokens
from console.pages import account_page
from console.rendering import redirect, render, safe_next
from console.requests import PageRequest

_TEMPLATE = "console/auth/sudo.html"
_PAGE = "/account/reauthenticate"
# The gateway asks again after five minutes; the last one is for filling in the form.
_RECENT_S = 240
_WAYS = {
    "password": "auth/reauthenticate",
    "code": "auth/2fa/reauthenticate",
    "passkey": "auth/webauthn/reauthenticate",
}


async def gate(request: PageRequest) -> HttpResponse | None:
    """The way to the proof and back to this page, when the last proof is too old; None when the page may go on."""
    answer = await request.accounts.get("auth/session")
    if not answer.ok:
        return errors.signed_out(request)
    proved = [float(one["at"]) for one in answer.data.get("methods", []) if one.get("reauthenticated")]
    if proved and time.time() - max(proved) < _RECENT_S:
        return None
    if not any((await _ways(request, answer)).values()):
        return None  # single sign-on alone: nothing here to prove it with, and the gateway asks for nothing
    return needed(request)


def needed(request: PageRequest, back: str = "") -> HttpResponse:
    """To the proof and back, to this page or to ``back``."""
    return redirect(request, f"{_PAGE}?next={quote(back or errors.here(request))}")


def asked(answer: AccountsAnswer) -> bool:
    """Whether the answer is: prove first who you are."""
    return answer.status == 401 and bool(answer.meta.get("is_authenticated"))


@account_page
async def reauthenticate(request: PageRequest) -> HttpResponse:
    """By whatever the account has: password, code, passkey."""
    next_url = safe_next(request, "/account/security")
    session = await request.accounts.get("auth/session")
    if not session.ok:
        return errors.signed_out(request)
    context: dict[str, Any] = {"next": next_url, "ways": await _ways(request, session)}
    form = Form.of(request, "password", "code")
    if request.method != "POST":
        return render(request, _TEMPLATE, {"form": form, **context})
    kind = request.POST.get("kind", "")
    body: dict[str, Any] = {"password": form.values["password"]}
    if kind == "code":
        body = {"code": "".join(form.values["code"].split())}
        form.values["code"] = ""
    elif kind == "passkey":
        body = {"credential": credential(request)}
    answer = await request.accounts.post(_WAYS.get(kind, _WAYS["password"]), body)
    if not answer.ok:
        return refused(request, _TEMPLATE, answer, form, context)
    if request.visit.token is not None:
        tokens.forget(request.visit.token)  # the next ones say when this happened
    return redirect(request, next_url)


@account_page
async def passkey_options(request: PageRequest) -> HttpResponse:
    """What the browser asks its passkeys, for app.js."""
    answer = await request.accounts.get("auth/webauthn/reauthenticate")
    return JsonResponse(answer.data.get("request_options", {}), status=answer.status)


async def _ways(request: PageRequest, session: AccountsAnswer) -> dict[str, bool]:
    answer = await request.accounts.get("account/authenticators")
    kinds = {one["type"] for one in answer.data} if answer.ok else set()
    return {
        "password": bool(session.data["user"].get("has_usable_password")),
        "code": bool(kinds & {"totp", "recovery_codes"}),
        "passkey": "webauthn" in kinds,
    }
