"""The second step of signing in: a code, a passkey, or a recovery code."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse, JsonResponse

from console.auth import trust
from console.auth.answers import refused
from console.auth.sign_in import credential
from console.auth.steps import arrive, go_on, with_next
from console.forms import Form
from console.gateway import AccountsAnswer
from console.pages import public_page
from console.rendering import redirect, render, safe_next
from console.requests import PageRequest

_TEMPLATE = "console/auth/second_factor.html"
_RECOVERY = "console/auth/recovery.html"
_STEP = "mfa_authenticate"


@public_page
async def second_factor(request: PageRequest) -> HttpResponse:
    """Six digits of the authenticator app; other ways are offered when the account has them."""
    return await _ask(request, _TEMPLATE, "auth/2fa/authenticate")


@public_page
async def recovery(request: PageRequest) -> HttpResponse:
    """A recovery code, each of which works once."""
    return await _ask(request, _RECOVERY, "auth/2fa/authenticate")


@public_page
async def passkey(request: PageRequest) -> HttpResponse:
    """A passkey as the second factor."""
    next_url = safe_next(request)
    given = credential(request) if request.method == "POST" else None
    if given is None or request.visit.signed_in:
        return redirect(request, with_next("/login/mfa", next_url))
    waiting = await _waiting(request)
    answer = await request.accounts.post("auth/webauthn/authenticate", {"credential": given})
    if answer.status in (400, 429):
        form = Form({"code": "", "trust": ""})
        if answer.status == 400:
            form.add(None, "This passkey is not one of this account. Use another one, or a code.")
        return refused(request, _TEMPLATE, answer, form, _context(waiting, next_url))
    return await _in(request, answer, next_url)


@public_page
async def passkey_options(request: PageRequest) -> HttpResponse:
    """What the browser asks its passkeys, for app.js."""
    if request.visit.signed_in or request.visit.token is None:
        return JsonResponse({}, status=409)
    answer = await request.accounts.get("auth/webauthn/authenticate")
    return JsonResponse(answer.data.get("request_options", {}), status=answer.status)


async def _ask(request: PageRequest, template: str, path: str) -> HttpResponse:
    next_url = safe_next(request)
    if request.visit.signed_in:
        return redirect(request, next_url)
    if request.visit.token is None:
        return redirect(request, with_next("/login", next_url))
    waiting = await _waiting(request)
    if waiting is None:
        return await go_on(request, AccountsAnswer(401), next_url)
    form = Form.of(request, "code", "trust")
    context = _context(waiting, next_url)
    if request.method != "POST":
        return render(request, template, {"form": form, **context})
    code = "".join(form.values["code"].split())
    answer = await request.accounts.post(path, {"code": code})
    if answer.status in (400, 429):
        form.values["code"] = ""
        return refused(request, template, answer, form, context)
    return await _in(request, answer, next_url)


async def _in(request: PageRequest, answer: AccountsAnswer, next_url: str) -> HttpResponse:
    if not (answer.ok and request.visit.signed_in):
        return await go_on(request, answer, next_url)
    trusted = bool(request.POST.get("trust"))
    response = await arrive(request, next_url)
    return await trust.ask(request, response) if trusted else response


async def _waiting(request: PageRequest) -> dict[str, Any] | None:
    """The step with the kinds of factors that the account has; None when it is not what waits."""
    answer = await request.accounts.get("auth/session")
    return next((flow for flow in answer.flows if flow.get("id") == _STEP and flow.get("is_pending")), None)


def _context(waiting: dict[str, Any] | None, next_url: str) -> dict[str, Any]:
    return {"types": (waiting or {}).get("types", []), "next": next_url}
