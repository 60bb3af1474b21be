"""Recovery codes: shown once, in the answer of a POST; to be copied, or taken along as a text file."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse

from console.auth import sudo
from console.auth.account import frame
from console.auth.account.security import PAGE, factors_of
from console.pages import account_page
from console.rendering import redirect
from console.requests import PageRequest
from console.sealing import seal, unseal

_TEMPLATE = "console/account/recovery.html"
_CODES = "console/account/codes.html"
_PATH = "account/authenticators/recovery-codes"
_PURPOSE = "recovery-codes"
_MAX_AGE = 900


@account_page
async def recovery(request: PageRequest) -> HttpResponse:
    """How many are left; a POST makes ten new ones, and the old ones end."""
    if (way := await sudo.gate(request)) is not None:
        return way
    if request.method != "POST":
        factors = await factors_of(request)
        if not factors["on"]:
            toast = "Recovery codes belong to a second factor. Set one up first."
            return redirect(request, PAGE, toast=toast, level="info")
        return frame.show(request, _TEMPLATE, factors)
    answer = await request.accounts.post(_PATH)
    if not answer.ok:
        return redirect(request, PAGE, toast="No codes were made; the old ones still work. Try again.", level="bad")
    return _codes(request, answer.data["unused_codes"], "Ten new recovery codes")


async def first_codes(request: PageRequest, done: str) -> HttpResponse:
    """After a second factor was set up: the codes that came with it, when they are new; else back with a message."""
    answer = await request.accounts.get(_PATH)
    codes = answer.data.get("unused_codes") if answer.ok else None
    if not codes:
        return redirect(request, PAGE, toast=done)
    return _codes(request, codes, done)


@account_page
async def download(request: PageRequest) -> HttpResponse:
    """The codes as a file. They come sealed from the page that showed them: nothing else can be had from here."""
    codes = unseal(request.POST.get("sealed", ""), _PURPOSE, max_age=_MAX_AGE) if request.method == "POST" else None
    if not codes:
        toast = "The codes are shown for a quarter of an hour. Make new ones to get them again."
        return redirect(request, f"{PAGE}/recovery-codes", toast=toast, level="warn")
    lines = [f"Ikiro recovery codes of {request.user['email']}", "Each works once, instead of a code of the app.", ""]
    response = HttpResponse("\n".join([*lines, *codes, ""]), content_type="text/plain; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="ikiro-recovery-codes.txt"'
    return response


def _codes(request: PageRequest, codes: list[str], done: str) -> HttpResponse:
    context: dict[str, Any] = {"codes": codes, "text": "\n".join(codes), "sealed": seal(codes, _PURPOSE), "done": done}
    return frame.show(request, _CODES, context)
