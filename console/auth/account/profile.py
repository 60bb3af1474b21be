"""Name and e-mail address."""

from __future__ import annotations

import time
from typing import Any

from django.http import HttpResponse

from console.auth import answers, sudo
from console.auth.account import frame
from console.auth.steps import with_next
from console.errors import signed_out
from console.forms import Form
from console.gateway import AccountsAnswer, ApiError, tokens
from console.pages import account_page
from console.rendering import redirect
from console.requests import PageRequest

_TEMPLATE = "console/account/profile.html"
_PAGE = "/account/profile"


@account_page
async def profile(request: PageRequest) -> HttpResponse:
    """Shows both; a POST changes the name."""
    if request.method != "POST":
        return await _show(request)
    form = Form.of(request, "name", prefix="name")
    try:
        await request.api.patch("/v1/account", {"name": form.values["name"]})
    except ApiError as error:
        if not form.takes(error):
            raise
        return await _show(request, name=form, status=422)
    _renew(request)
    return redirect(request, _PAGE, toast="Your name is changed.")


@account_page
async def email(request: PageRequest) -> HttpResponse:
    """A new address counts when it is confirmed; until then the old one stays."""
    if request.method != "POST":
        return redirect(request, _PAGE)
    form = Form.of(request, "email", prefix="email")
    answer = await request.accounts.post("account/email", {"email": form.values["email"]})
    if sudo.asked(answer):
        return sudo.needed(request, with_next(_PAGE, "/", email=form.values["email"]))
    if answer.status in (401, 410):
        return signed_out(request)
    if not answer.ok:
        return await _show(request, email=form, answer=answer)
    request.visit.meta.update(email=form.values["email"], sent_at=int(time.time()))
    return redirect(request, "/verify", toast=f"A code is on its way to {form.values['email']}.")


@account_page
async def cancel_email(request: PageRequest) -> HttpResponse:
    """Forget the address that waits for its code."""
    if request.method == "POST":
        answer = await request.accounts.delete("account/email", {"email": request.POST.get("email", "")})
        if sudo.asked(answer):
            return sudo.needed(request, _PAGE)
        if answer.ok:
            return redirect(request, _PAGE, toast="Your address stays as it is.")
    return redirect(request, _PAGE)


async def _show(
    request: PageRequest,
    *,
    name: Form | None = None,
    email: Form | None = None,
    answer: AccountsAnswer | None = None,
    status: int = 200,
) -> HttpResponse:
    listed = await request.accounts.get("account/email")
    if listed.status in (401, 410):
        return signed_out(request)
    addresses: list[dict[str, Any]] = listed.data if listed.ok else []
    context: dict[str, Any] = {
        "name_form": name or Form({"name": request.user.get("name", "")}, prefix="name"),
        "email_form": email or Form({"email": request.GET.get("email", "")}, prefix="email"),
        "pending": next((one["email"] for one in addresses if not one["verified"]), None),
        "me": request.user,
    }
    if answer is not None and email is not None:
        return answers.refused(request, _TEMPLATE, answer, email, frame.with_tabs(request, context))
    return frame.show(request, _TEMPLATE, context, status=status)


def _renew(request: PageRequest) -> None:
    """The tokens in use carry the old name."""
    if request.visit.token is not None:
        tokens.forget(request.visit.token)
