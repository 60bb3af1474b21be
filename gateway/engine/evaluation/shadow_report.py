"""What overlays in shadow would have done to the calls of a window: counted from their decision records, where it was
written when each was decided."""

from __future__ import annotations

from datetime import timedelta

from gateway.core import clock, ids
from gateway.engine.evaluation.report import Changed, Report
from gateway.platform.requests import selectors as requests
from tenants.types import Principal

MOST_RECORDS = 10_000


def run(*, days: int, show: int, overlay: str | None, principal: Principal) -> Report:
    """The newest ``MOST_RECORDS`` records of the last ``days`` that overlays in shadow speak of, or one (``org``,
    ``team:sales``); up to ``show`` of those that would have been decided otherwise are listed, newest first. Runs in
    the organization's scope. Raises SearchTooSlow."""
    since = clock.now() - timedelta(days=days)
    found, total = requests.shadowed(since=since, limit=MOST_RECORDS + 1, overlay=overlay, principal=principal)
    report = Report(since, show, requests=total, truncated=len(found) > MOST_RECORDS)
    for one in found[:MOST_RECORDS]:
        told = one.shadow
        if "changes" not in told:
            report.unreadable["truncated"] += 1
            continue
        report.add(
            Changed(
                ids.public("req", one.request_id),
                one.occurred_at,
                one.persona_id,
                one.subject_id,
                told["refused_before"],
                told["refused_after"],
                told["changes"],
            )
        )
    return report
