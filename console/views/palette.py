"""Search and jump: the palette's results, and the same as a page for browsers without scripts."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpResponse

from console import nav
from console.pages import page
from console.rendering import render
from console.requests import PageRequest

_MOST = 12


@dataclass(frozen=True, slots=True)
class Hit:
    kind: str
    label: str
    url: str
    hint: str = ""


@page(methods=("GET",))
async def palette(request: PageRequest) -> HttpResponse:
    """Pages and organizations whose names hold the words."""
    wanted = request.GET.get("q", "").strip().lower()[:100]
    links = [link for group in nav.groups(request.org.slug, "", request.permissions) for link in group.links]
    hits = [Hit("Go", link.item.label, link.url, f"g {link.item.chord}") for link in links]
    hits += [Hit("Go", "Shortcuts", "/account/shortcuts", "?"), Hit("Go", "Account and security", "/account/security")]
    found = [hit for hit in hits if all(word in hit.label.lower() for word in wanted.split())]
    return render(request, "console/palette.html", {"hits": found[:_MOST], "q": wanted}, part=None)
