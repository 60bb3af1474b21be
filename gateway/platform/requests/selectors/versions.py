"""What people asked of single versions of a persona: rehearsals and replays are not among it, because nobody did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from gateway.core.endpoint import REHEARSAL

_USE = """
SELECT (record->>'persona_version')::int AS version, count(*), count(DISTINCT subject_id),
    count(*) FILTER (WHERE status >= 400),
    percentile_cont(0.5) WITHIN GROUP (ORDER BY latency_ms), percentile_cont(0.95) WITHIN GROUP (ORDER BY latency_ms),
    coalesce(sum(charged_micros), 0),
    count(*) FILTER (WHERE record->'decisions' @> '[{"stage": "safety"}]'),
    count(*) FILTER (WHERE jsonb_path_exists(
        record, '$.decisions[*] ? (@.stage == "writes").proposed[*]'))
FROM request_record
WHERE persona_id = %s AND kind = 'request' AND occurred_at >= %s AND (%s::timestamptz IS NULL OR occurred_at < %s)
    AND (record->>'persona_version')::int = ANY(%s) AND surface <> %s AND parent_id IS NULL
GROUP BY 1
"""


@dataclass(frozen=True, slots=True)
class VersionUse:
    """Calls of one version. ``redirected`` were answered by a safety redirect, ``proposing`` left a proposal."""

    calls: int
    subjects: int
    errors: int
    latency_p50_ms: float | None
    latency_p95_ms: float | None
    charged_micros: int
    redirected: int
    proposing: int


def by_persona_version(
    persona_id: str, versions: Sequence[int], *, since: datetime, until: datetime | None
) -> dict[int, VersionUse]:
    """The use of each of these versions between two moments (``until`` None: now); one without calls is left out."""
    with connection.cursor() as cursor:
        cursor.execute(_USE, [persona_id, since, until, until, list(versions), REHEARSAL])
        return {version: VersionUse(*rest) for version, *rest in cursor.fetchall()}
