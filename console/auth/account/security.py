"""Password and second factors, at a glance; changing the password; switching two-factor off."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.http import HttpResponse

from console.auth import answers, sudo
from console.auth.account import frame
from console.errors import signed_out
from console.forms import Form
from console.gateway import AccountsAnswer, tokens
from console.pages import account_page
from console.rendering import redirect
from console.requests import PageRequest

_TEMPLATE = "console/account/security.html"
_OFF = "console/account/off.html"
PAGE = "/account/security"


@account_page
async def security(request: PageRequest) -> HttpResponse:
    return await _show(request)


@account_page
async def password(request: PageRequest) -> HttpResponse:
    """Ends every other session."""
    if request.method != "POST":
        return redirect(request, PAGE)
    form = Form.of(request, "current_password", "new_password")
    body = {name: value for name, value in form.values.items() if value or name == "new_password"}
    if request.visit.token is not None:
        tokens.forget(request.visit.token)
    answer = await request.accounts.post("account/password/change", body)
    if sudo.asked(answer):
        return sudo.needed(request, PAGE)
    if answer.status in (401, 410):
        return signed_out(request)
    if not answer.ok:
        return await _show(request, form=form, answer=answer)
    return redirect(request, PAGE, toast="Your password is changed. Every other session is ended.")


@account_page
async def off(request: PageRequest) -> HttpResponse:
    """Removes the authenticator app and all passkeys; recovery codes go with them."""
    if (way := await sudo.gate(request)) is not None:
        return way
    factors = await factors_of(request)
    if not factors["on"]:
        return redirect(request, PAGE)
    if request.method != "POST":
        return frame.show(request, _OFF, factors)
    steps = [request.accounts.delete("account/authenticators/totp")] if factors["totp"] else []
    if factors["passkeys"]:
        ids = [one["id"] for one in factors["passkeys"]]
        steps.append(request.accounts.delete("account/authenticators/webauthn", {"authenticators": ids}))
    for step in steps:
        answer = await step
        if not answer.ok:
            toast = "Not everything could be switched off; what is left is shown here. Try again."
            return redirect(request, PAGE, toast=toast, level="bad")
    return redirect(request, PAGE, toast="Two-factor authentication is off.", level="warn")


async def factors_of(request: PageRequest) -> dict[str, Any]:
    """``totp``, ``passkeys``, ``codes`` (with ``unused_code_count``) and whether two-factor is ``on``."""
    answer = await request.accounts.get("account/authenticators")
    listed = [_with_moments(one) for one in answer.data] if answer.ok else []
    found = {one["type"]: one for one in listed}
    passkeys = [one for one in listed if one["type"] == "webauthn"]
    totp = found.get("totp")
    return {"totp": totp, "passkeys": passkeys, "codes": found.get("recovery_codes"), "on": bool(totp or passkeys)}


def _with_moments(one: dict[str, Any]) -> dict[str, Any]:
    """The gateway counts seconds here."""
    moments = {name: datetime.fromtimestamp(one[name], UTC) for name in ("created_at", "last_used_at") if one[name]}
    return {**one, **moments}


async def _show(
    request: PageRequest, *, form: Form | None = None, answer: AccountsAnswer | None = None
) -> HttpResponse:
    session = await request.accounts.get("auth/session")
    if not session.ok:
        return signed_out(request)
    form = form or Form({"current_password": "", "new_password": ""})
    context = {
        **await factors_of(request),
        "form": form,
        "has_password": bool(session.data["user"].get("has_usable_password")),
        "email": session.data["user"]["email"],
    }
    if answer is not None:
        return answers.refused(request, _TEMPLATE, answer, form, frame.with_tabs(request, context))
    return frame.show(request, _TEMPLATE, context)
