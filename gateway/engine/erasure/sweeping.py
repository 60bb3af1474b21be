"""What was written about an erased subject by something that began before: erased too, for a day."""

from __future__ import annotations

from django.db import transaction

from gateway.core import subjectdata
from gateway.core.journal import SYSTEM, Change, record
from gateway.core.subjectdata import Target
from gateway.knowledge.subjects import erasing, selectors


def sweep() -> int:
    """Go over the subjects of the organization in scope that were erased within a day; how many rows were found. What
    belongs to a new subject of the same id stays."""
    found = 0
    for leftover in erasing.leftovers():
        again = selectors.find(leftover.id) is not None
        target = Target(leftover.pk, leftover.id, leftover.erased_at if again else None)
        counts: dict[str, int] = {}
        for part in subjectdata.parts():
            if part.erase is not None:
                counts.update({name: count for name, count in part.erase(target).items() if count})
        if counts:
            found += sum(counts.values())
            with transaction.atomic():
                subject = f"subject:{leftover.id}"
                record(Change("subject.swept", SYSTEM, subject, subject_id=leftover.id, detail=counts))
    erasing.forget_leftovers()
    return found
