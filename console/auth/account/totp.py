"""Setting up an authenticator app, and taking it away."""

from __future__ import annotations

from typing import Any

import segno
from django.http import HttpResponse
from django.utils.safestring import SafeString

from console.auth import answers, sudo
from console.auth.account import frame, recovery
from console.auth.account.security import PAGE
from console.forms import Form
from console.pages import account_page
from console.rendering import redirect
from console.requests import PageRequest
from console.sealing import seal, unseal

_TEMPLATE = "console/account/totp.html"
_REMOVE = "console/account/totp_remove.html"
_PURPOSE = "totp"
_MAX_AGE = 900


@account_page
async def set_up(request: PageRequest) -> HttpResponse:
    """First the explanation; a POST makes a secret and shows it; a POST with its first code switches it on.

    The secret is only ever in the answer of a POST. A wrong code shows the same one again: it travels sealed.
    """
    if (way := await sudo.gate(request)) is not None:
        return way
    if request.method != "POST":
        return frame.show(request, _TEMPLATE, {"form": Form({"code": ""})})
    if "code" not in request.POST:
        return await _begin(request)
    shown = unseal(request.POST.get("sealed", ""), _PURPOSE, max_age=_MAX_AGE)
    if not shown:
        toast = "Setting up took too long. Begin again with a new code."
        return redirect(request, request.path, toast=toast, level="warn")
    form = Form.of(request, "code")
    code = "".join(form.values["code"].split())
    answer = await request.accounts.post("account/authenticators/totp", {"code": code})
    if sudo.asked(answer):
        return sudo.needed(request)
    if not answer.ok:
        form.values["code"] = ""
        return answers.refused(request, _TEMPLATE, answer, form, frame.with_tabs(request, _shown(shown)))
    return await recovery.first_codes(request, "The authenticator app is set up.")


@account_page
async def remove(request: PageRequest) -> HttpResponse:
    """Asks first; passkeys stay."""
    if (way := await sudo.gate(request)) is not None:
        return way
    if request.method != "POST":
        return frame.show(request, _REMOVE)
    answer = await request.accounts.delete("account/authenticators/totp")
    if not answer.ok:
        return redirect(request, PAGE, toast="The authenticator app could not be removed. Try again.", level="bad")
    return redirect(request, PAGE, toast="The authenticator app is removed.", level="warn")


async def _begin(request: PageRequest) -> HttpResponse:
    answer = await request.accounts.get("account/authenticators/totp")
    if answer.ok:
        return redirect(request, PAGE, toast="An authenticator app is set up already.", level="info")
    if answer.status != 404:
        form = Form({"code": ""})
        return answers.refused(request, _TEMPLATE, answer, form, frame.with_tabs(request, {}))
    shown = {"secret": answer.meta["secret"], "url": answer.meta["totp_url"]}
    return frame.show(request, _TEMPLATE, {"form": Form({"code": ""}), **_shown(shown)})


def _shown(shown: dict[str, str]) -> dict[str, Any]:
    secret = shown["secret"]
    return {
        "secret": " ".join(secret[at : at + 4] for at in range(0, len(secret), 4)),
        "plain_secret": secret,
        "qr": qr_code(shown["url"]),
        "sealed": seal(shown, _PURPOSE),
    }


def qr_code(text: str) -> SafeString:
    """An SVG of attributes only: black on white also in the dark, because cameras expect it."""
    made = segno.make(text, micro=False, error="m")
    # Nothing of the text is in the markup: it is drawn.
    svg = made.svg_inline(scale=4, border=4, dark="#000", light="#fff", omitsize=True, svgclass="c-qr", lineclass=None)
    return SafeString(svg)
