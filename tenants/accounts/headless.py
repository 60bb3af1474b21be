"""The headless API's view of persons and sessions."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from allauth.core import context
from allauth.headless.adapter import DefaultHeadlessAdapter
from allauth.headless.tokens.strategies.sessions import SessionTokenStrategy
from allauth.usersessions.models import UserSession
from django.contrib.sessions.backends.base import SessionBase

from gateway.core import clock, ids
from tenants.accounts.adapter import display_name
from tenants.accounts.address import client_address
from tenants.models import User

_KEY = re.compile(r"[a-z0-9]{8,40}")
_SEEN_EVERY = timedelta(seconds=60)


class HeadlessAdapter(DefaultHeadlessAdapter):
    """Persons are shown with the id that the rest of the API knows them by."""

    def serialize_user(self, user: User) -> dict[str, Any]:
        return {
            "id": ids.public("usr", user.pk),
            "email": user.email,
            "name": user.name,
            "display": display_name(user),
            "has_usable_password": user.has_usable_password(),
        }


class SessionTokens(SessionTokenStrategy):
    """Allauth's session tokens; using one notes when and from where, at most once a minute."""

    def lookup_session(self, session_token: str) -> SessionBase | None:
        if not _KEY.fullmatch(session_token):
            return None
        session: SessionBase | None = super().lookup_session(session_token)
        if session is not None:
            _seen(session_token)
        return session


def _seen(session_key: str) -> None:
    request, now = context.request, clock.now()
    UserSession.objects.filter(session_key=session_key, last_seen_at__lt=now - _SEEN_EVERY).update(
        last_seen_at=now, ip=client_address(request), user_agent=request.headers.get("User-Agent", "")[:200]
    )
