"""What goes on in an organization: is it healthy, what needs somebody, what was asked last."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse

from console import errors
from console.gateway import ApiError, GatewayDown, Result
from console.live import Update, topic, updated
from console.pages import page, public_page
from console.rendering import redirect, render
from console.requests import PageRequest

_TEMPLATE = "console/overview.html"


@dataclass(frozen=True, slots=True)
class Card:
    """One answer, or the trouble that came instead; ``hidden`` when the person may not see it at all."""

    answer: Result | None = None
    trouble: errors.Trouble | None = None
    hidden: bool = False


@page()
async def overview(request: PageRequest) -> HttpResponse:
    """Each card stands alone: one that fails says so in its place."""
    limits, latest, proposals, models = await asyncio.gather(
        _card(request, "", request.api.get("/v1/limits")),
        _card(request, "requests.read", _requests(request)),
        _card(request, "proposals.read", _proposals(request)),
        _card(request, "", request.api.get("/v1/models")),
    )
    context = {"limits": limits, "latest": latest, "proposals": proposals, "models": models}
    return render(request, _TEMPLATE, context, live=("requests", "proposals"))


@public_page
async def without_slash(request: PageRequest, org: str) -> HttpResponse:
    """The address as people type it."""
    return redirect(request, f"/o/{org}/")


@topic("requests", action="requests.read", every=2.0)
async def live_requests(request: PageRequest) -> Update:
    return updated(request, f"{_TEMPLATE}#latest", {"latest": Card(await _requests(request))})


@topic("proposals", action="proposals.read", every=2.0)
async def live_proposals(request: PageRequest) -> Update:
    return updated(request, f"{_TEMPLATE}#needs", {"proposals": Card(await _proposals(request))})


async def _card(request: PageRequest, action: str, call: Any) -> Card:
    if action and not request.permissions.may(action):
        call.close()
        return Card(hidden=True)
    try:
        return Card(await call)
    except (ApiError, GatewayDown) as error:
        if isinstance(error, ApiError) and error.status == 401:
            raise
        return Card(trouble=errors.of(error))


async def _requests(request: PageRequest) -> Result:
    return await request.api.get("/v1/requests", limit=8)


async def _proposals(request: PageRequest) -> Result:
    return await request.api.get("/v1/proposals", state="pending", limit=20)
