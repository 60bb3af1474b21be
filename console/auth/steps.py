"""Where a sign-in goes next: the page of the step that waits, or in."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from django.http import HttpResponse

from console.gateway import AccountsAnswer, ApiError, GatewayClient
from console.rendering import redirect
from console.requests import PageRequest

_PAGES: Mapping[str, str] = {"verify_email": "/verify", "mfa_authenticate": "/login/mfa"}
# The name of the organization that somebody signs up with, until their address is proved.
NEW_ORGANIZATION = "new_org"


def with_next(path: str, next_url: str, **more: str) -> str:
    """``path`` that remembers where to go afterwards."""
    query = {**more, **({"next": next_url} if next_url != "/" else {})}
    return f"{path}?{urlencode(query)}" if query else path


async def go_on(request: PageRequest, answer: AccountsAnswer, next_url: str) -> HttpResponse:
    """After any answer of a sign-in that was no refusal."""
    if answer.ok and request.visit.signed_in:
        return await arrive(request, next_url)
    page = _PAGES.get(answer.pending or "")
    if page is not None:
        return redirect(request, with_next(page, next_url))
    toast = "That sign-in took too long or had too many wrong answers. Begin again."
    return redirect(request, with_next("/login", next_url), toast=toast, level="warn")


async def arrive(request: PageRequest, next_url: str) -> HttpResponse:
    """Signed in: to where the person wanted to go; after a sign-up to their new organization."""
    visit = request.visit
    wanted = visit.meta.get(NEW_ORGANIZATION)
    if visit.token is not None:
        visit.sign_in(visit.token)
    if not wanted or next_url != "/":
        return redirect(request, next_url)
    try:
        made = await GatewayClient(request, None, silent=True).post("/v1/organizations", {"name": wanted})
    except ApiError as error:
        url = f"/organizations/new?{urlencode({'name': wanted})}"
        return redirect(request, url, toast=error.detail or error.title, level="warn")
    return redirect(request, f"/organizations/{made['slug']}?next=/o/{made['slug']}/start")
