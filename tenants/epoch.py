"""One number for the state of the directory: every change takes the next, and tells all workers once it commits."""

from __future__ import annotations

from django.conf import settings
from django.db import connection, transaction

from gateway.core.valkey import sync_client

EPOCH_KEY = "directory:epoch"
_LOCK = 7_021_001
_ANNOUNCE = """
local known = tonumber(redis.call('GET', KEYS[1]) or '0')
if tonumber(ARGV[1]) > known then redis.call('SET', KEYS[1], ARGV[1]) end
return 1
"""


def next_version() -> int:
    """The version for a change being made; inside its transaction. Announces itself once that commits."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        cursor.execute("SELECT nextval('public.tenants_directory_version')")
        version: int = cursor.fetchone()[0]
    transaction.on_commit(lambda: announce(version), robust=True)
    return version


def announce(version: int) -> None:
    """Tell every worker that the directory is at least at ``version``."""
    sync_client(settings.IKIRO_REDIS_URL).eval(_ANNOUNCE, 1, EPOCH_KEY, version)
