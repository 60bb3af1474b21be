"""What the account's pages have in common: the title and the tabs."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse

from console.rendering import render
from console.requests import PageRequest

_TABS = (
    ("Profile", "/account/profile"),
    ("Security", "/account/security"),
    ("Sessions", "/account/sessions"),
    ("Shortcuts", "/account/shortcuts"),
)


def show(
    request: PageRequest, template: str, context: dict[str, Any] | None = None, *, status: int = 200
) -> HttpResponse:
    """A page of the account."""
    return render(request, template, with_tabs(request, context or {}), status=status)


def with_tabs(request: PageRequest, context: dict[str, Any]) -> dict[str, Any]:
    """The context with the tabs; a page below a tab belongs to it."""
    tabs = [(label, url, request.path.startswith(url)) for label, url in _TABS]
    return {"tabs": tabs, **context}
