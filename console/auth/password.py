"""A forgotten password: ask for the link, choose a new one."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from django.http import HttpResponse

from console.auth import answers, words
from console.auth.public import anyhow
from console.forms import Form
from console.gateway import AccountsAnswer, tokens
from console.pages import public_page
from console.rendering import redirect, render
from console.requests import PageRequest

_FORGOT = "console/auth/forgot.html"
_RESET = "console/auth/reset.html"


@public_page
async def forgot(request: PageRequest) -> HttpResponse:
    """The same answer whether or not there is such an account."""
    form = Form.of(request, "email", email=request.GET.get("email", "").strip())
    if request.method != "POST":
        return render(request, _FORGOT, {"form": form})
    answer = await anyhow(lambda: request.accounts.post("auth/password/request", {"email": form.values["email"]}))
    if answer.status >= 400 and answer.status != 401:
        return answers.refused(request, _FORGOT, answer, form)
    return render(request, _FORGOT, {"form": form, "sent": True}, part="form" if request.htmx else None)


@public_page
async def reset(request: PageRequest) -> HttpResponse:
    """With the link's key: the new password. Without one: a place to paste the link or the code from the mail."""
    key = _key(request.POST.get("key") or request.GET.get("key") or "")
    form = Form.of(request, "password")
    if not key:
        return render(request, _RESET, {"form": Form({"key": ""}), "key": ""})
    if request.method != "POST" or "password" not in request.POST:
        header = {"X-Password-Reset-Key": key}
        answer = await anyhow(lambda: request.accounts.get("auth/password/reset", headers=header))
        if answer.ok:
            return render(request, _RESET, {"form": form, "key": key, "email": answer.data["user"]["email"]})
        return _dead(request, answer)
    body = {"key": key, "password": form.values["password"]}
    answer = await anyhow(lambda: request.accounts.post("auth/password/reset", body))
    if answer.status == 400 and any(problem.get("param") == "key" for problem in answer.errors):
        return _dead(request, answer)
    if answer.status in (400, 429):
        return answers.refused(request, _RESET, answer, form, {"key": key, "email": request.POST.get("email", "")})
    # All sessions of the account are over. Whoever else was signed in here signs in anew, too.
    if request.visit.token is not None:
        tokens.forget(request.visit.token)
        await request.accounts.delete("auth/session")
        request.visit.sign_out()
    toast = "Your password is changed and every other sign-in is ended. Sign in."
    return redirect(request, "/login", toast=toast)


def _dead(request: PageRequest, answer: AccountsAnswer) -> HttpResponse:
    wait = answers.wait_of(answer)
    problem = next(iter(answer.errors), {"code": "invalid_password_reset"})
    said = "" if wait else words.of(problem)
    context = {"form": Form({"key": ""}), "key": "", "said": said, "wait": wait}
    return render(request, _RESET, context, status=429 if wait else 410)


def _key(text: str) -> str:
    """The key out of a key or of the whole link."""
    text = text.strip()
    if "key=" in text:
        text = next(iter(parse_qs(urlsplit(text).query).get("key", [])), "")
    return text if text.isascii() and text.isprintable() and len(text) <= 500 else ""
