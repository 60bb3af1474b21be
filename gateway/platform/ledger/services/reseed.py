"""After the store lost its counters: the month so far, from the roll-up."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import redis
import structlog
from django.db.backends.base.base import BaseDatabaseWrapper

from gateway.platform.ledger.lines import month_bounds
from gateway.platform.ledger.names import SEEDED, month_key

log = structlog.get_logger(__name__)

_KEPT_S = 75 * 86400
_MONTH = """
SELECT org_id, sum(calls)::bigint, sum(charged_micros)::bigint
FROM public.ledger_daily WHERE day >= %s AND day < %s GROUP BY org_id
"""


def reseed(client: redis.Redis, connection: BaseDatabaseWrapper) -> int:
    """Put calls and spend of the running month back when the mark ``adm:seeded`` is missing; returns how many
    organizations were seeded.

    The seed lives in fields of its own, set if absent, and is added to what was counted since: calls that came between
    the loss and this are not lost, and a second seeding adds nothing. Run it before ``drain`` in the same round, so
    that those calls are not in the roll-up as well.
    """
    if client.exists(SEEDED):
        return 0
    time: Any = client.time()
    month = f"{datetime.fromtimestamp(time[0], UTC):%Y%m}"
    with connection.cursor() as cursor:
        cursor.execute(_MONTH, month_bounds(month))
        totals = cursor.fetchall()
    with client.pipeline(transaction=False) as pipeline:
        for org_id, calls, charged in totals:
            key = month_key(org_id, month)
            pipeline.hsetnx(key, "seed_calls", str(max(calls, 0)))
            pipeline.hsetnx(key, "seed_spend", str(charged))
            pipeline.expire(key, _KEPT_S)
        pipeline.execute()
    # Only now: a seeding that broke off is done again.
    client.set(SEEDED, month)
    if totals:
        log.warning("ledger.counters_seeded", organizations=len(totals), month=month)
    return len(totals)
