"""The side bar: every page of an organization that exists and that the person may open.

A page appears as soon as its URL name exists; nothing else has to be changed for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from django.urls import NoReverseMatch, reverse

from console.permissions import Permissions


@dataclass(frozen=True, slots=True)
class Item:
    """``chord`` is the key after ``g``; ``action`` is what the page needs, empty for any member."""

    label: str
    name: str
    icon: str
    chord: str
    action: str = ""


@dataclass(frozen=True, slots=True)
class Link:
    """An item for one organization. ``current``: the page belongs to it."""

    item: Item
    url: str
    current: bool
    badge: int = 0


@dataclass(frozen=True, slots=True)
class Group:
    title: str
    links: list[Link]


ITEMS: tuple[tuple[str, tuple[Item, ...]], ...] = (
    (
        "",
        (
            Item("Overview", "overview", "layout-dashboard", "o"),
            Item("Get started", "start", "rocket", "s"),
        ),
    ),
    (
        "Build",
        (
            Item("Playground", "playground", "terminal", "p", "chat.run"),
            Item("Personas", "personas", "bot", "e", "personas.read"),
            Item("Memory", "memory", "archive", "m", "memory.read"),
            Item("Proposals", "proposals", "inbox", "a", "proposals.read"),
        ),
    ),
    (
        "Observe",
        (
            Item("Requests", "requests", "activity", "r", "requests.read"),
            Item("Usage", "usage", "zap", "u", "requests.read"),
            Item("Audit", "audit", "scroll-text", "d", "audit.read"),
        ),
    ),
    (
        "Connect",
        (
            Item("API keys", "keys", "key-round", "k", "keys.list"),
            Item("Providers", "providers", "plug", "l", "providers.read"),
        ),
    ),
    (
        "Govern",
        (
            Item("Policies", "policies", "shield", "y", "policies.read"),
            Item("Members", "members", "users", "b", "members.list"),
            Item("Single sign-on", "sso", "lock", "i", "sso.manage"),
            Item("Settings", "settings", "settings", "t", "organization.manage"),
        ),
    ),
)


def groups(org: str, path: str, permissions: Permissions, badges: dict[str, int] | None = None) -> list[Group]:
    """What to show in the side bar of ``path``."""
    shown = []
    for title, items in ITEMS:
        links = [
            Link(item, url, _is_current(item, url, path), (badges or {}).get(item.name, 0))
            for item in items
            if (url := address(item.name, org)) and (not item.action or permissions.may(item.action))
        ]
        if links:
            shown.append(Group(title, links))
    return shown


def address(name: str, org: str) -> str | None:
    """The URL of an organization's page, None while there is no such page."""
    return _template(name).replace("org-slug", org) if _template(name) else None


@cache
def _template(name: str) -> str:
    try:
        return reverse(f"console:{name}", kwargs={"org": "org-slug"})
    except NoReverseMatch:
        return ""


def _is_current(item: Item, url: str, path: str) -> bool:
    return path == url if item.name == "overview" else path == url or path.startswith(f"{url.rstrip('/')}/")
