"""What accounts leave behind and nobody needs: for the scheduler, once in a while."""

from __future__ import annotations

from datetime import timedelta

from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session

from gateway.core import clock
from tenants.accounts import services
from tenants.accounts.claims import claims
from tenants.accounts.models import AccountEventRow
from tenants.accounts.sessions import SessionStore
from tenants.models import User

UNPROVED_KEPT = timedelta(days=7)
EVENTS_KEPT = timedelta(days=400)
# Failed sign-ins to accounts that do not exist: of use only while somebody looks at an attack.
NOBODYS_EVENTS_KEPT = timedelta(days=30)
_A_SWEEP = 100


def sweep() -> int:
    """Expired sessions, old events, and sign-ups that nobody proved; returns how many sign-ups were given up."""
    now = clock.now()
    SessionStore.clear_expired()
    UserSession.objects.exclude(session_key__in=Session.objects.values("session_key")).delete()
    AccountEventRow.objects.filter(at__lt=now - EVENTS_KEPT).delete()
    AccountEventRow.objects.filter(user_id=None, at__lt=now - NOBODYS_EVENTS_KEPT).delete()
    claims.purge()
    unproved = User.objects.filter(
        created_at__lt=now - UNPROVED_KEPT, last_login=None, deleted_at=None, memberships=None
    ).exclude(emailaddress__verified=True)
    given_up = list(unproved.values_list("pk", flat=True)[:_A_SWEEP])
    for user_id in given_up:
        services.account_delete(user_id)
    return len(given_up)
