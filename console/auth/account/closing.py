"""Deleting the account."""

from __future__ import annotations

from django.http import HttpResponse

from console.auth import sudo
from console.auth.account import frame
from console.forms import Form
from console.gateway import ApiError, tokens
from console.pages import account_page
from console.rendering import redirect
from console.requests import PageRequest

_TEMPLATE = "console/account/delete.html"


@account_page
async def delete(request: PageRequest) -> HttpResponse:
    """Needs a fresh proof and the address typed out, which is compared here and not in the browser."""
    if (way := await sudo.gate(request)) is not None:
        return way
    form = Form.of(request, "confirm")
    context = {"form": form, "me": request.user, "organizations": []}
    if request.method != "POST":
        return frame.show(request, _TEMPLATE, context)
    if form.values["confirm"].lower() != str(request.user["email"]).lower():
        form.add("confirm", f"Type {request.user['email']} to confirm. Nothing was deleted.")
        return frame.show(request, _TEMPLATE, context, status=422)
    try:
        await request.api.delete("/v1/account")
    except ApiError as error:
        if error.code == "reauthentication_required":
            form.add(
                None, "Sign out, sign in again and come back within five minutes; then the account can be deleted."
            )
        elif error.code == "last_owner":
            form.add(None, error.detail)
            context["organizations"] = error.extra.get("organizations") or []
        else:
            raise
        return frame.show(request, _TEMPLATE, context, status=error.status)
    if request.visit.token is not None:
        tokens.forget(request.visit.token)
    request.visit.sign_out()
    return redirect(request, "/login", toast="Your account is deleted.")
