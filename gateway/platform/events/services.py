"""Writing events: the rows and their outbox markers, in the change's own transaction."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.core import clock, ids
from gateway.core.journal import Event
from gateway.platform.events import catalogue
from gateway.platform.events.models import EventRow
from gateway.platform.outbox.services import mark
from gateway.platform.outbox.types import Kind


def emit(events: Sequence[Event]) -> None:
    """Store events of the organization in scope for delivery. Must run inside the change's transaction.

    Raises EventContractError for a name that the catalogue lacks or a payload that does not fit.
    """
    if not events:
        return
    for event in events:
        catalogue.check(event)
    now = clock.now()
    # Ids of one millisecond are in no order of their own; sorted, they keep the events of one change in theirs.
    own_ids = sorted(ids.uuid7() for _ in events)
    rows = [
        EventRow(
            id=own_id,
            name=event.name,
            version=event.version,
            payload=event.payload,
            subject_id=event.subject_id,
            persona_id=event.persona_id,
            created_at=now,
        )
        for own_id, event in zip(own_ids, events, strict=True)
    ]
    mark(Kind.EVENT, own_ids)
    EventRow.objects.bulk_create(rows)
