"""The root: what runs here for visitors, the last organization for people."""

from __future__ import annotations

from django.http import HttpResponse

from console.gateway import GatewayClient
from console.pages import public_page
from console.rendering import redirect, render
from console.requests import PageRequest


@public_page
async def home(request: PageRequest) -> HttpResponse:
    """The landing page when signed out; else the overview of the organization seen last, or of the first one."""
    if not request.visit.signed_in:
        return render(request, "console/home.html", {"base_url": f"{request.scheme}://{request.get_host()}"})
    mine = (await GatewayClient(request, None, silent=True).get("/v1/organizations")).rows
    slugs = [one["slug"] for one in mine if one.get("state") == "ready"] or [one["slug"] for one in mine]
    if not slugs:
        return redirect(request, "/organizations/new")
    last = request.visit.meta.get("org")
    return redirect(request, f"/o/{last if last in slugs else slugs[0]}/")
