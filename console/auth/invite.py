"""An invitation's link: who invites to what, and joining."""

from __future__ import annotations

import re
from typing import Any

from django.http import HttpResponse

from console import errors
from console.auth import public
from console.gateway import ApiError, GatewayClient, Result, tokens
from console.pages import public_page
from console.rendering import redirect, render
from console.requests import PageRequest

_TEMPLATE = "console/auth/invite.html"
_TOKEN = re.compile(r"[A-Za-z0-9_-]{16,128}")
_FORGED = "This link is none of ours, or a part of it is missing. Open it from the mail again, or ask for a new one."
_OVER = {
    "accepted": "It was accepted already. Sign in to open the organization.",
    "expired": "It has expired. Ask whoever invited you for a new one.",
    "revoked": "It was taken back. Ask whoever invited you for a new one.",
}


@public_page
async def invite(request: PageRequest, token: str) -> HttpResponse:
    """Signed out: sign up or sign in, with the invited address. Signed in: accept, or change to the right account."""
    try:
        if not _TOKEN.fullmatch(token):
            raise ApiError(404, {"code": "invitation_invalid"})
        invitation = await public.get(request, f"/v1/invitations/by-token/{token}")
    except ApiError as error:
        if error.status not in (404, 410):
            raise
        return render(request, _TEMPLATE, {"said": _FORGED}, status=error.status)
    me = await _me(request)
    if request.method == "POST" and me is not None:
        return await _accept(request, token, invitation, me)
    state = str(invitation.get("state"))
    said = "" if state == "pending" else _OVER.get(state, _OVER["expired"])
    context = _context(invitation, me, token, said)
    return render(request, _TEMPLATE, context, status=410 if said else 200)


async def _accept(request: PageRequest, token: str, invitation: Result, me: dict[str, Any]) -> HttpResponse:
    try:
        api = GatewayClient(request, None, silent=True)
        joined = (await api.post("/v1/invitations/accept", {"token": token}))["organization"]
    except ApiError as error:
        if error.status not in (403, 409, 410):
            return errors.refused(request, error)
        context = _context(invitation, me, token, error.detail)
        if error.code == "invitation_for_other_email":
            context.update(said="", other=True)
        return render(request, _TEMPLATE, context, status=error.status)
    if request.visit.token is not None:
        tokens.forget(request.visit.token)
    return redirect(request, f"/o/{joined['slug']}/", toast=f"You are a member of {joined['name']} now.")


def _context(invitation: Result, me: dict[str, Any] | None, token: str, said: str) -> dict[str, Any]:
    other = me is not None and str(me.get("email", "")).lower() != str(invitation["email"]).lower()
    return {
        "invitation": invitation.data,
        "me": me,
        "token": token,
        "said": said,
        "other": other,
        "form_path": f"/invite/{token}",
    }


async def _me(request: PageRequest) -> dict[str, Any] | None:
    """Who is signed in here; nobody, too, when their session ended meanwhile."""
    if not request.visit.signed_in:
        return None
    try:
        return (await GatewayClient(request, None, silent=True).whoami()).user
    except ApiError as error:
        if error.status != 401:
            raise
        request.visit.sign_out()
        return None
