"""Single sign-on: from the address to the organization's identity provider and back."""

from __future__ import annotations

import base64
import hashlib
import secrets
from urllib.parse import urlencode, urlsplit

from django.http import HttpResponse

from console.auth import public, words
from console.errors import refused
from console.forms import Form
from console.gateway import ApiError, tokens
from console.pages import public_page
from console.rendering import redirect, render, safe_next
from console.requests import PageRequest
from console.sealing import seal, unseal

_TEMPLATE = "console/auth/sso.html"
_COOKIE = "ikiro_sso"
_PURPOSE = "sso"
_PATH = "/login/sso"
_MAX_AGE = 900


@public_page
async def sso(request: PageRequest) -> HttpResponse:
    """Asks for the address and sends the person on; takes them back with ``?code=`` or ``?error=``."""
    if "code" in request.GET:
        return await _back(request)
    next_url = safe_next(request)
    form = Form.of(request, "email", email=request.GET.get("email", "").strip())
    context = {"form": form, "next": next_url}
    if request.method == "POST":
        return await _send_on(request, form, next_url)
    if code := request.GET.get("error"):
        form.add(None, words.SSO.get(code, words.SSO["sso"]))
        return render(request, _TEMPLATE, context, status=422)
    return render(request, _TEMPLATE, context)


async def _send_on(request: PageRequest, form: Form, next_url: str) -> HttpResponse:
    context = {"form": form, "next": next_url}
    try:
        found = await public.get(request, "/v1/sso/discover", email=form.values["email"])
    except ApiError as error:
        if not form.takes(error):
            return refused(request, error)
        return render(request, _TEMPLATE, context, status=422)
    start = found.get("start_url")
    if not found.get("sso") or not start or urlsplit(start).scheme not in {"http", "https"}:
        form.add("email", "No organization here uses single sign-on for this address. Sign in with your password.")
        return render(request, _TEMPLATE, context, status=422)
    verifier = secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    url = f"{start}?{urlencode({'challenge': challenge, 'next': next_url})}"
    if request.htmx:
        response = redirect(request, url)
    else:
        # Not a redirect: browsers hold the whole chain after a form against form-action, and the identity provider is
        # another site.
        response = render(request, "console/auth/sso_go.html", {"url": url, "organization": found["organization"]})
    response.set_cookie(
        _COOKIE, seal(verifier, _PURPOSE), max_age=_MAX_AGE, path=_PATH, httponly=True, samesite="Lax",
        secure=request.is_secure(),
    )  # fmt: skip
    return response


async def _back(request: PageRequest) -> HttpResponse:
    next_url = safe_next(request)
    verifier = unseal(request.COOKIES.get(_COOKIE, ""), _PURPOSE, max_age=_MAX_AGE)
    if not verifier:
        # Somebody else's code in a link would sign this browser in as them.
        form = Form({"email": ""})
        form.add(None, words.SSO["begun_elsewhere"])
        return render(request, _TEMPLATE, {"form": form, "next": next_url}, status=422)
    body = {"code": request.GET["code"], "verifier": verifier}
    try:
        made = await public.post(request, "/v1/auth/sso/exchange", body)
    except ApiError as error:
        if error.status not in (400, 403, 422):
            return refused(request, error)
        form = Form({"email": ""})
        form.add(None, words.SSO.get(error.code, error.detail or error.title))
        return render(request, _TEMPLATE, {"form": form, "next": next_url}, status=422)
    await _end_earlier(request)
    request.visit.sign_in(made["session_token"])
    if next_url == "/" and made.get("organization"):
        next_url = f"/o/{made['organization']}/"
    response = redirect(request, next_url)
    response.delete_cookie(_COOKIE, path=_PATH, samesite="Lax")
    return response


async def _end_earlier(request: PageRequest) -> None:
    """A browser has one session: the one it had before is over."""
    token = request.visit.token
    if token is None:
        return
    tokens.forget(token)
    await request.accounts.delete("auth/session")
