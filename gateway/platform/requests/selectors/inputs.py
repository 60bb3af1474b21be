"""Kept request bodies of a window, with what their records say, for deciding them again."""

from __future__ import annotations

from datetime import datetime

from gateway.core import clock
from gateway.platform.requests.models import BodyRow, RequestRow
from gateway.platform.requests.selectors.bodies import opened
from gateway.platform.requests.selectors.records import of_people, visible
from gateway.platform.requests.types import KeptInput, Part, RecordKind
from tenants.types import Principal


def kept_inputs(*, since: datetime, limit: int, principal: Principal | None = None) -> tuple[list[KeptInput], int]:
    """(the newest ``limit`` calls whose whole request was kept, how many calls there were in all) since a moment, among
    those that the caller may see."""
    rows = of_people(visible(RequestRow.objects.filter(kind=RecordKind.REQUEST, occurred_at__gte=since), principal))
    bodies = BodyRow.objects.filter(part=Part.REQUEST, truncated=False, expires_at__gt=clock.now())
    kept = bodies.filter(request_id__in=rows.values("id")).order_by("-request_id")[:limit]
    found = {body.request_id: body for body in kept}
    records = RequestRow.objects.filter(pk__in=list(found)).order_by("-id")
    return [_input(row, found[row.id]) for row in records], rows.count()


def _input(row: RequestRow, body: BodyRow) -> KeptInput:
    version = row.record.get("persona_version")
    return KeptInput(
        request_id=row.id,
        occurred_at=row.occurred_at,
        path=body.path,
        text=opened(body).text,
        headers=body.headers,
        key_id=row.key_id,
        persona_id=row.persona_id,
        persona_version=version if isinstance(version, int) else None,
        subject_id=row.subject_id,
    )
