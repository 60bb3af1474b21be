"""The request a page works with: what middleware and ``@page`` put on it, with types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails

from console.gateway import AccountsClient, Call, GatewayClient
from console.permissions import Permissions
from console.session import Session


@dataclass(frozen=True, slots=True)
class Org:
    """The organization in the page's path, as the gateway described it for this person."""

    id: str
    slug: str
    name: str
    plan: str
    role: str
    mode: str = "live"


class PageRequest(HttpRequest):
    """``api`` speaks for the person in ``org`` (on account pages: for the person alone); ``accounts`` is sign-in and
    the account's own settings."""

    htmx: HtmxDetails
    page_id: str
    started_at: float
    visit: Session
    api_calls: list[Call]
    api: GatewayClient
    accounts: AccountsClient
    org: Org
    user: dict[str, Any]  # type: ignore[assignment]  # Django's user lives in a database
    permissions: Permissions
    organizations: list[dict[str, Any]]
