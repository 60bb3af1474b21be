"""The subject's own row while all that is known of it is erased: hidden first, gone last, remembered for a day."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from gateway.core import clock
from gateway.knowledge.subjects.errors import SubjectNotFound
from gateway.knowledge.subjects.models import ErasureRow, SubjectRow
from gateway.knowledge.subjects.selectors import to_subject
from gateway.knowledge.subjects.types import Leftover, Subject

# For so long something that began before may still write: a call, a message that is delivered again, a kept answer.
SWEPT_FOR = timedelta(hours=24)


def hold(subject_id: str) -> Subject:
    """The subject, its row locked until the transaction ends. Raises SubjectNotFound."""
    rows = SubjectRow.objects.select_for_update()
    row = rows.filter(subject_id=subject_id).first() if subject_id.isprintable() else None
    if row is None:
        raise SubjectNotFound(f"There is no subject {subject_id!r}.")
    return to_subject(row)


def begin(pk: UUID, operation_id: UUID) -> None:
    """Hide a held subject: from now on nobody finds it, and nothing is written about it."""
    row = SubjectRow.objects.get(pk=pk)
    row.erasing_at, row.erasure_id = row.erasing_at or clock.now(), operation_id
    row.save(update_fields=["erasing_at", "erasure_id"])


def under_way(pk: UUID) -> Subject | None:
    """A subject that is being erased; None when it is gone."""
    row = SubjectRow.objects.filter(pk=pk, erasing_at__isnull=False).first()
    return to_subject(row) if row is not None else None


def finish(pk: UUID) -> bool:
    """Delete the row, in the caller's transaction; False when another has. Its id is kept for ``SWEPT_FOR``."""
    row = SubjectRow.objects.select_for_update().filter(pk=pk, erasing_at__isnull=False).first()
    if row is None:
        return False
    ErasureRow.objects.create(subject_pk=row.pk, subject_id=row.subject_id)
    row.delete()
    return True


def leftovers() -> tuple[Leftover, ...]:
    """Subjects erased lately, the oldest first."""
    rows = ErasureRow.objects.order_by("erased_at")
    return tuple(Leftover(row.subject_pk, row.subject_id, row.erased_at) for row in rows)


def forget_leftovers() -> int:
    """Let go of the ids that need no more sweeping; how many."""
    return ErasureRow.objects.filter(erased_at__lt=clock.now() - SWEPT_FOR).delete()[0]
