"""Connections are budgeted: what all processes together may open must fit the server, with room for its own
(ADR-0014)."""

from __future__ import annotations

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connections

_SHARE = 0.8
# The scheduler's own three (request, batch and owner role) and one for a command beside it.
_FIXED = 4


def planned() -> int:
    """The most connections that this installation's processes open at once."""
    per_web, per_worker = settings.IKIRO_DB_POOL + 1, settings.IKIRO_WORKER_CONCURRENCY + 1
    total: int = settings.IKIRO_WEB_PROCESSES * per_web + settings.IKIRO_WORKER_PROCESSES * per_worker + _FIXED
    return total


def refuse_overcommitment() -> None:
    """Raise ImproperlyConfigured when the plan exceeds 80 % of the server's ``max_connections``."""
    with connections["owner"].cursor() as cursor:
        cursor.execute("SHOW max_connections")
        allowed = int(int(cursor.fetchone()[0]) * _SHARE)
    if planned() > allowed:
        raise ImproperlyConfigured(
            f"The processes may open {planned()} database connections, more than 80 % of the server's max_connections"
            f" ({allowed}). Lower IKIRO_DB_POOL, IKIRO_WEB_PROCESSES, IKIRO_WORKER_PROCESSES or"
            " IKIRO_WORKER_CONCURRENCY, or raise max_connections."
        )
