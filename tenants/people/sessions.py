"""Sessions as the gateway knows them: by the hash that user tokens carry, and only once they have ended.

Whoever ends a session calls ``session_ended``; every worker then refuses its tokens within a second, by the same epoch
that revokes keys. A token lives five minutes, so an ended session need not be remembered for longer than ten.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Max

from gateway.core import clock
from tenants.epoch import next_version
from tenants.models import EndedSessionRow, SignInRow

KEPT = timedelta(minutes=10)
_SIGN_INS_KEPT = timedelta(days=90)


def sid_of(session_key: str) -> str:
    """What a user token says of its session: 32 characters from which the key cannot be found."""
    return hmac.new(settings.SECRET_KEY.encode(), session_key.encode(), hashlib.sha256).hexdigest()[:32]


def session_ended(session_key: str, user_id: UUID | None = None) -> None:
    """End every user token of this session, on all workers within a second. Doing it twice is the same as once."""
    sid = sid_of(session_key)
    with transaction.atomic():
        EndedSessionRow.objects.update_or_create(
            sid=sid, defaults={"user_id": user_id, "ended_at": clock.now(), "version": next_version()}
        )


def purge() -> int:
    """Forget what no token can belong to any more; returns how many sessions. For the scheduler.

    The newest row stays, because the directory's version must never go back.
    """
    newest = EndedSessionRow.objects.aggregate(newest=Max("version"))["newest"]
    if newest is None:
        return 0
    now = clock.now()
    gone, _ = EndedSessionRow.objects.filter(ended_at__lt=now - KEPT, version__lt=newest).delete()
    SignInRow.objects.filter(created_at__lt=now - _SIGN_INS_KEPT).delete()
    return gone
