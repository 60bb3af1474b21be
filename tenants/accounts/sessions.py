"""The session engine: Django's database store, whose sessions take their user tokens with them when they end."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from allauth.usersessions.models import UserSession
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.db import transaction

from tenants.people.sessions import session_ended


class SessionStore(DatabaseStore):
    """Deleting a signed-in session (sign-out, ended from the list, replaced by a new key) ends its user tokens on every
    worker, in the same transaction."""

    def delete(self, session_key: str | None = None) -> None:
        key = session_key or self.session_key
        if key is None:
            return
        with transaction.atomic():
            user_id = self._signed_in(key)
            if user_id is not None:
                session_ended(key, user_id)
            super().delete(key)

    def _signed_in(self, key: str) -> UUID | None:
        row = self.model.objects.filter(session_key=key).first()
        found = self.decode(row.session_data).get(SESSION_KEY) if row is not None else None
        return UUID(found) if found else None


def end_sessions(user_id: UUID, *, keep: str | None = None) -> int:
    """End every session of a person but ``keep``; returns how many."""
    ended = 0
    with transaction.atomic():
        for row in _of(user_id):
            if row.session_key != keep:
                row.end()
                ended += 1
    return ended


def _of(user_id: UUID) -> Iterable[UserSession]:
    return list(UserSession.objects.select_for_update().filter(user_id=user_id).order_by("pk"))
