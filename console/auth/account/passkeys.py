"""Passkeys: adding, renaming, removing. Adding needs scripts: only they can ask the browser for one."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpResponse, JsonResponse

from console.auth import answers, sudo
from console.auth.account import frame, recovery
from console.auth.account.security import PAGE, factors_of
from console.auth.sign_in import credential
from console.forms import Form
from console.pages import account_page
from console.rendering import redirect
from console.requests import PageRequest

_ADD = "console/account/passkey_add.html"
_ONE = "console/account/passkey.html"
_PATH = "account/authenticators/webauthn"


@account_page
async def add(request: PageRequest) -> HttpResponse:
    if (way := await sudo.gate(request)) is not None:
        return way
    form = Form.of(request, "name", name="")
    if request.method != "POST":
        return frame.show(request, _ADD, {"form": form})
    given = credential(request)
    if given is None:
        form.add(None, "The browser sent no passkey. Nothing was added.")
        return frame.show(request, _ADD, {"form": form}, status=422)
    body = {"name": form.values["name"][:100] or "Passkey", "credential": given, "passwordless": True}
    answer = await request.accounts.post(_PATH, body)
    if sudo.asked(answer):
        return sudo.needed(request)
    if not answer.ok:
        return answers.refused(request, _ADD, answer, form, frame.with_tabs(request, {}))
    done = f"The passkey {body['name']} is added."
    if answer.meta.get("recovery_codes_generated"):
        return await recovery.first_codes(request, done)
    return redirect(request, PAGE, toast=done)


@account_page
async def options(request: PageRequest) -> HttpResponse:
    """What the browser makes a passkey from, for app.js."""
    answer = await request.accounts.get(_PATH, passwordless="1")
    return JsonResponse(answer.data.get("creation_options", {}), status=answer.status)


@account_page
async def one(request: PageRequest, number: int) -> HttpResponse:
    """One passkey: a POST renames it."""
    if (way := await sudo.gate(request)) is not None:
        return way
    shown = await _find(request, number)
    form = Form.of(request, "name", name=shown["name"])
    if request.method != "POST":
        return frame.show(request, _ONE, {"form": form, "passkey": shown})
    answer = await request.accounts.put(_PATH, {"id": number, "name": form.values["name"]})
    if not answer.ok:
        return answers.refused(request, _ONE, answer, form, frame.with_tabs(request, {"passkey": shown}))
    return redirect(request, PAGE, toast=f"The passkey is called {form.values['name']} now.")


@account_page
async def remove(request: PageRequest, number: int) -> HttpResponse:
    page = f"{PAGE}/passkeys/{number}"
    if request.method != "POST":
        return redirect(request, page)
    shown = await _find(request, number)
    answer = await request.accounts.delete(_PATH, {"authenticators": [number]})
    if sudo.asked(answer):
        return sudo.needed(request, page)
    if not answer.ok:
        return redirect(request, page, toast="The passkey could not be removed. Try again.", level="bad")
    return redirect(request, PAGE, toast=f"The passkey {shown['name']} is removed.", level="warn")


async def _find(request: PageRequest, number: int) -> dict[str, Any]:
    """Raises Http404 for a passkey that is not this account's."""
    passkeys: list[dict[str, Any]] = (await factors_of(request))["passkeys"]
    for shown in passkeys:
        if shown["id"] == number:
            return shown
    raise Http404
