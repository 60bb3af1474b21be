"""Proving once more who one is, before what cannot be undone."""

from __future__ import annotations

from datetime import timedelta

from gateway.core import clock
from gateway.core.errors import Forbidden
from tenants.models import User
from tenants.types import Session

RECENT = timedelta(minutes=5)


def require(user: User, session: Session, password: str | None) -> None:
    """The password, or a sign-in (with every factor the account has) of the last five minutes. Raises Forbidden
    ``password_wrong`` or ``reauthentication_required``."""
    if password is not None:
        if not user.check_password(password):
            raise Forbidden("This is not the account's password.", code="password_wrong")
    elif clock.now() - session.authenticated_at > RECENT:
        raise Forbidden(
            "Give the password, or prove once more who you are and get a new token.", code="reauthentication_required"
        )
