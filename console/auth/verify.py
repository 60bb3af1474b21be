"""Proving an address: by the six digits in the browser that waits, or by the link in any."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from django.http import HttpResponse

from console.auth import answers, words
from console.auth.public import anyhow
from console.auth.steps import arrive, go_on, with_next
from console.forms import Form
from console.gateway import AccountsAnswer, tokens
from console.pages import public_page
from console.rendering import redirect, render, safe_next
from console.requests import PageRequest

_TEMPLATE = "console/auth/verify.html"
_LINK = "console/auth/verify_link.html"
# The gateway sends one code in this time.
_COOLDOWN_S = 10


@public_page
async def verify(request: PageRequest) -> HttpResponse:
    """With ``?key=`` the link's page; else the code of the sign-up, or of the change of address, that waits here."""
    if "key" in request.GET:
        return await _link_page(request, request.GET["key"])
    next_url = _next(request)
    if request.visit.token is None:
        return redirect(request, with_next("/login", next_url))
    form = Form.of(request, "code")
    if request.method != "POST":
        return render(request, _TEMPLATE, _context(request, form, next_url))
    code = "".join(form.values["code"].split())
    was_signed_in = request.visit.signed_in
    answer = await request.accounts.post("auth/email/verify", {"key": code})
    if answer.status in (400, 429):
        return answers.refused(request, _TEMPLATE, answer, form, _context(request, form, next_url), key="code")
    return await _proved(request, answer, next_url, was_signed_in=was_signed_in)


@public_page
async def resend(request: PageRequest) -> HttpResponse:
    """Another code, at most one in ten seconds and a few in all."""
    next_url = _next(request)
    if request.method != "POST" or request.visit.token is None:
        return redirect(request, with_next("/verify", next_url))
    answer = await request.accounts.post("auth/email/verify/resend")
    if answer.status == 429:
        form = Form({"code": ""})
        return answers.refused(request, _TEMPLATE, answer, form, _context(request, form, next_url))
    if answer.ok:
        request.visit.meta["sent_at"] = int(time.time())
        toast = "A new code is on its way; the earlier one no longer works."
        return redirect(request, with_next("/verify", next_url), toast=toast)
    return _over(request, next_url)


@public_page
async def follow_link(request: PageRequest) -> HttpResponse:
    """Somebody pressed the button of the link's page. A mere look at the link (a mail scanner's) proves nothing."""
    if request.method != "POST":
        return redirect(request, "/verify")
    body = {"key": request.POST.get("key", "")}
    was_signed_in = request.visit.signed_in
    answer = await anyhow(lambda: request.accounts.post("auth/email/verify", body))
    if answer.status in (400, 429):
        return _dead_link(request, answer)
    email = request.POST.get("email", "")[:254]
    if not answer.ok and answer.pending is None:
        toast = f"{email or 'The address'} is confirmed. Sign in."
        return redirect(request, with_next("/login", "/", email=email), toast=toast)
    return await _proved(request, answer, "/", was_signed_in=was_signed_in)


async def _proved(request: PageRequest, answer: AccountsAnswer, next_url: str, *, was_signed_in: bool) -> HttpResponse:
    if was_signed_in and answer.ok:
        if request.visit.token is not None:
            tokens.forget(request.visit.token)  # they carry the old address
        return redirect(request, "/account/profile", toast="The address is confirmed.")
    if answer.ok and request.visit.signed_in:
        return await arrive(request, next_url)
    if answer.status == 409:
        return _over(request, next_url)
    return await go_on(request, answer, next_url)


async def _link_page(request: PageRequest, key: str) -> HttpResponse:
    header = {"X-Email-Verification-Key": key} if key.isascii() and key.isprintable() else {}
    answer = await anyhow(lambda: request.accounts.get("auth/email/verify", headers=header))
    if not answer.ok:
        return _dead_link(request, answer)
    return render(request, _LINK, {"key": key, "email": answer.data["email"]})


def _dead_link(request: PageRequest, answer: AccountsAnswer) -> HttpResponse:
    wait = answers.wait_of(answer)
    problem = next(iter(answer.errors), {"code": "invalid_or_expired_key"})
    said = "" if wait else words.of(problem)
    return render(request, _LINK, {"said": said, "wait": wait}, status=429 if wait else 410)


def _over(request: PageRequest, next_url: str) -> HttpResponse:
    """No code waits any more: too old, or guessed at too often."""
    if request.visit.signed_in:
        toast = "That code is no longer valid. Enter the new address again."
        return redirect(request, "/account/profile", toast=toast, level="warn")
    email = str(request.visit.meta.get("email", ""))
    toast = "That code is no longer valid. Sign in with your password to get a new one."
    url = with_next("/login", next_url, **({"email": email} if email else {}))
    return redirect(request, url, toast=toast, level="warn")


def _context(request: PageRequest, form: Form, next_url: str) -> dict[str, object]:
    again = datetime.fromtimestamp(int(request.visit.meta.get("sent_at", 0)) + _COOLDOWN_S, UTC)
    return {
        "form": form,
        "next": next_url,
        "email": request.visit.meta.get("email", ""),
        "again_at": again if again > datetime.now(UTC) else None,
        "signed_in": request.visit.signed_in,
    }


def _next(request: PageRequest) -> str:
    return safe_next(request, "/account/profile" if request.visit.signed_in else "/")
