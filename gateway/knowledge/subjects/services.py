"""Writes of subjects: they come into being on first use."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.db import transaction

from gateway.core.journal import SYSTEM, Actor, Change, Event, record
from gateway.knowledge.subjects import selectors
from gateway.knowledge.subjects.errors import InvalidSubjectId
from gateway.knowledge.subjects.models import SubjectRow
from gateway.knowledge.subjects.types import MAX_SUBJECT_ID, SubjectRef


def check(subject_id: str) -> str:
    """The id itself when it may name a subject. Raises InvalidSubjectId."""
    if not 1 <= len(subject_id) <= MAX_SUBJECT_ID or not subject_id.isprintable() or subject_id != subject_id.strip():
        raise InvalidSubjectId
    return subject_id


def ensure(subject_id: str, *, actor: Actor = SYSTEM, request_id: UUID | None = None) -> SubjectRef:
    """The subject of this id, created when it is new. One query for a known one; safe when called twice at once."""
    return ensure_many((subject_id,), actor=actor, request_id=request_id)[subject_id]


def ensure_many(
    subject_ids: Iterable[str], *, actor: Actor = SYSTEM, request_id: UUID | None = None
) -> dict[str, SubjectRef]:
    """All these subjects by id, the new ones created in one transaction. Raises InvalidSubjectId before anything is
    written."""
    wanted = sorted({check(subject_id) for subject_id in subject_ids})  # sorted: two at once lock in the same order
    known = selectors.find_many(wanted)
    missing = [subject_id for subject_id in wanted if subject_id not in known]
    if not missing:
        return known
    with transaction.atomic():
        rows = [SubjectRow(subject_id=subject_id) for subject_id in missing]
        SubjectRow.objects.bulk_create(rows, ignore_conflicts=True)
        made = {row.pk for row in rows}
        present = selectors.find_many(missing)
        for ref in present.values():
            if ref.pk in made:  # otherwise another caller's row came first, and its creator has recorded it
                change = Change("subject.created", actor, f"subject:{ref.id}", subject_id=ref.id, request_id=request_id)
                record(change, Event("subject.created", {}, subject_id=ref.id))
    return known | present
