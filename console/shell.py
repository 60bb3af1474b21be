"""What stands around every page: who, where, which theme, what was called. Built for full pages only."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

from console import flash, nav, preferences
from console.gateway import Call
from console.preferences import Preferences


@dataclass(frozen=True, slots=True)
class Shell:
    """Read by ``console/base.html`` and below. ``live`` are the topics the page listens to."""

    preferences: Preferences
    page_id: str = ""
    path: str = "/"
    signed_in: bool = False
    org: Any = None
    user: dict[str, Any] = field(default_factory=dict)
    organizations: list[dict[str, Any]] = field(default_factory=list)
    groups: list[nav.Group] = field(default_factory=list)
    toasts: list[flash.Toast] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    live: str = ""
    gateway_url: str = ""
    started_at: float = 0.0

    @property
    def elapsed_ms(self) -> int:
        """How long the page took until this line of it."""
        return round((time.perf_counter() - self.started_at) * 1000)

    @property
    def initials(self) -> str:
        name = str(self.user.get("name") or self.user.get("email") or "?")
        words = name.partition("@")[0].replace(".", " ").split()
        return "".join(word[0] for word in words[:2]).upper() or "?"

    @property
    def base_template(self) -> str:
        """The frame for a page that may come with or without an organization around it."""
        return "console/shell.html" if self.org else "console/plain.html"


def build(request: Any, *, live: tuple[str, ...] = (), badges: dict[str, int] | None = None) -> Shell:
    """The shell of this request. Works before the middleware ran, for errors that come so early."""
    visit = getattr(request, "visit", None)
    org = getattr(request, "org", None)
    chosen = preferences.read(request.COOKIES)
    if request.GET.get("lang") in preferences.CHOICES["lang"]:
        chosen = Preferences(chosen.theme, chosen.shortcuts, request.GET["lang"])
    return Shell(
        preferences=chosen,
        page_id=getattr(request, "page_id", ""),
        path=request.path,
        signed_in=bool(visit and visit.signed_in),
        org=org,
        user=getattr(request, "user", None) or {},
        organizations=getattr(request, "organizations", []),
        groups=nav.groups(org.slug, request.path, request.permissions, badges) if org else [],
        toasts=flash.take(request) if visit else [],
        calls=list(getattr(request, "api_calls", [])),
        live=f"/o/{org.slug}/live?topics={','.join(live)}" if org and live else "",
        gateway_url=settings.IKIRO_API_URL,
        started_at=getattr(request, "started_at", time.perf_counter()),
    )
