"""Signing in by password or passkey, and signing out."""

from __future__ import annotations

import json

from django.http import HttpResponse, JsonResponse

from console.auth import trust, words
from console.auth.answers import refused
from console.auth.steps import go_on, with_next
from console.forms import Form
from console.gateway import tokens
from console.pages import public_page
from console.rendering import redirect, render, safe_next
from console.requests import PageRequest

_TEMPLATE = "console/auth/sign_in.html"
LARGEST_CREDENTIAL = 20_000


@public_page
async def sign_in(request: PageRequest) -> HttpResponse:
    """Password first; what waits after it has a page of its own."""
    next_url = safe_next(request)
    if request.visit.signed_in:
        return redirect(request, next_url)
    form = Form.of(request, "email", "password", email=request.GET.get("email", "").strip())
    context = {"form": form, "next": next_url}
    if request.method != "POST":
        if code := request.GET.get("error"):
            form.add(None, words.SSO.get(code, words.SSO["sso"]))
        return render(request, _TEMPLATE, context)
    request.visit.token = None  # a new session, whatever was begun here before
    answer = await request.accounts.post("auth/login", dict(form.values), headers=trust.headers(request))
    if not answer.ok and answer.pending is None:
        return refused(request, _TEMPLATE, answer, form, context, password="")
    request.visit.meta["email"] = form.values["email"]
    return await go_on(request, answer, next_url)


@public_page
async def passkey_options(request: PageRequest) -> HttpResponse:
    """What the browser asks its passkeys, for app.js."""
    if request.visit.signed_in:
        return JsonResponse({}, status=409)
    request.visit.token = None
    answer = await request.accounts.get("auth/webauthn/login")
    return JsonResponse(answer.data.get("request_options", {}), status=answer.status)


@public_page
async def passkey(request: PageRequest) -> HttpResponse:
    """A passkey counts for both factors."""
    next_url = safe_next(request)
    if request.method != "POST" or request.visit.signed_in:
        return redirect(request, with_next("/login", next_url))
    form = Form({"email": "", "password": ""})
    given = credential(request)
    if given is None:
        form.add(None, "The browser sent no passkey. Try again, or use your password.")
        return render(request, _TEMPLATE, {"form": form, "next": next_url}, status=422)
    answer = await request.accounts.post("auth/webauthn/login", {"credential": given})
    if not answer.ok and answer.pending is None:
        if answer.status == 400:
            form.add(None, "This passkey belongs to no account here. Use another one, or your password.")
        return refused(request, _TEMPLATE, answer, form, {"next": next_url})
    return await go_on(request, answer, next_url)


def credential(request: PageRequest) -> object | None:
    """What app.js put into the form; None when that is no JSON object of a reasonable size."""
    text = request.POST.get("credential", "")
    try:
        given = json.loads(text) if len(text) <= LARGEST_CREDENTIAL else None
    except ValueError:
        return None
    return given if isinstance(given, dict) else None


@public_page
async def sign_out(request: PageRequest) -> HttpResponse:
    """Ends the session at the gateway too, so that a copy of the cookie is worth nothing. By GET: asks first."""
    next_url = safe_next(request, "/login")
    if request.method != "POST":
        if not request.visit.signed_in:
            return redirect(request, next_url)
        return render(request, "console/auth/sign_out.html", {"next": next_url})
    token = request.visit.token
    if token is not None:
        tokens.forget(token)
        await request.accounts.delete("auth/session")
    request.visit.sign_out()
    return redirect(request, next_url, toast="You are signed out.")
