"""Allauth's social adapter: connections instead of its own table of apps, and the guard in front of every call."""

from __future__ import annotations

from typing import Any

from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialApp
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from gateway.core.egress.requests_adapter import guarded_session
from tenants.sso import selectors
from tenants.sso.types import Connection

_PREFIX = "sso_"


class SocialAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]
    """What the headless API may ask of links that people have; signing in goes through ``tenants.sso.views`` alone."""

    def list_apps(self, request: HttpRequest, provider: str | None = None, client_id: str | None = None) -> list[Any]:
        """A nameplate for the connection behind somebody's link, without anything to sign in with. Never a list."""
        if provider is None or not provider.startswith(_PREFIX) or client_id is not None:
            return []
        return [SocialApp(provider="saml", provider_id=provider, name="Single sign-on", client_id=provider)]

    def get_requests_session(self) -> Any:
        return guarded_session()

    def pre_social_login(self, request: HttpRequest, sociallogin: Any) -> None:
        raise PermissionDenied("Single sign-on begins at /accounts/sso/<organization>/start.")

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        return False


def app_of(connection: Connection) -> SocialApp:
    """The connection as allauth's provider wants it. The one place where a client secret is opened."""
    return SocialApp(
        provider="openid_connect",
        provider_id=connection.provider_id,
        name=connection.name,
        client_id=connection.settings["client_id"],
        secret=selectors.client_secret(connection).reveal(),
        settings={
            "server_url": connection.settings["issuer"].rstrip("/"),
            "issuer": connection.settings["issuer"],
            "organization": connection.slug,
            "scope": ["openid", "profile", "email"],
        },
    )
