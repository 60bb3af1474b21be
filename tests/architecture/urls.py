"""Every URL of the project with what serves it, and what is wrong with those that go around the spine."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver
from django.views.generic.base import RedirectView
from ninja.operation import PathView

from gateway.core.endpoint import declared

# URLs that no key opens, each with the reason. A prefix ends with "*".
OPEN: dict[str, str] = {
    "healthz": "liveness: says only that the process answers",
    "readyz": "readiness: says which store is away, nothing of any organization",
    "metrics": "for the operator's scraper: its own token, or this machine alone",
    "_allauth/*": "accounts: allauth's headless API, which checks its own sessions and counts attempts",
    "accounts/*": "single sign-on: redirects to the identity provider and what it calls back",
    "v1/auth/token": "sign-in: the session token in its header is the proof",
    "v1/invitations/by-token/<token>": "the secret of the link is the proof; shows an organization's name and a role",
    "v1/sso/discover": "sign-in: says only whether a mail domain uses single sign-on",
    "v1/auth/sso/exchange": "sign-in: the one-time code in its body is the proof",
    "v1/receipts/keys": "public keys are public",
    "schemas/<name>": "the published JSON Schemas of cartridges: committed files, the same for everybody",
    ".well-known/ikiro-receipts.json": "the same keys, where whoever holds a receipt looks for them",
    "v1/receipts/verify": "whoever holds a receipt may check it; looks nothing of it up",
    "v1/openapi.json": "the API's public description",
    "v1/": "Ninja's name for the root of the API; answers 404",
}


@dataclass(frozen=True, slots=True)
class Route:
    """One URL pattern. ``path`` has no leading slash."""

    path: str
    view: Callable[..., Any]

    @property
    def ninja(self) -> PathView | None:
        """The Ninja path behind the view: Ninja closes over it and offers no other way to ask."""
        cells = inspect.getclosurevars(self.view).nonlocals if inspect.isfunction(self.view) else {}
        owner = cells.get("self")
        return owner if isinstance(owner, PathView) else None


def routes(patterns: Sequence[URLPattern | URLResolver], prefix: str = "") -> Iterator[Route]:
    """Walk a URL configuration depth first."""
    for pattern in patterns:
        path = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, path)
        else:
            yield Route(path, pattern.callback)


def undeclared(found: Iterator[Route], open_urls: dict[str, str]) -> Iterator[str]:
    """URLs that are neither declared Ninja operations nor listed as open; and list entries that name nothing."""
    unused = set(open_urls)
    for route in found:
        if _is_console(route.view):
            continue
        entry = _open_entry(route.path, open_urls)
        if entry is not None:
            unused.discard(entry)
        elif route.ninja is None:
            yield f"/{route.path} is not a Ninja operation: declare one, or list it as open with a reason"
        else:
            yield from _wrong_operations(route.path, route.ninja)
    for entry in sorted(unused):
        yield f"/{entry} is in the list of open URLs, but nothing serves it"


def _wrong_operations(path: str, view: PathView) -> Iterator[str]:
    for operation in view.operations:
        name = f"{'/'.join(sorted(operation.methods))} /{path}"
        if not operation.is_async:
            yield f"{name} is synchronous: it would block the event loop or need a thread per request"
        declaration = declared(operation.view_func)
        if declaration is None:
            yield f"{name} declares no endpoint: no scope, no flag, no metering"
        elif declaration.public:
            yield f"{name} needs no key: if that is meant, list it as open with a reason"


def _is_console(view: Callable[..., Any]) -> bool:
    """A page of the console: it has no data of its own and asks the API as the person who is signed in. Or a redirect
    to one."""
    return view.__module__.startswith("console.") or getattr(view, "view_class", None) is RedirectView


def _open_entry(path: str, open_urls: dict[str, str]) -> str | None:
    for entry in open_urls:
        if path == entry or (entry.endswith("*") and path.startswith(entry[:-1])):
            return entry
    return None
