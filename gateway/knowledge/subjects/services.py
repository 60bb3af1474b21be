"""Writes of subjects: they come into being on first use, and what is said of them may be changed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from django.db import transaction

from gateway.core import clock
from gateway.core.errors import BadRequest, FieldProblem
from gateway.core.journal import SYSTEM, Actor, Change, Event, record
from gateway.core.plain import clean, plain
from gateway.knowledge.subjects import selectors
from gateway.knowledge.subjects.errors import InvalidSubjectId, SubjectErasing
from gateway.knowledge.subjects.models import SubjectRow
from gateway.knowledge.subjects.types import MAX_ATTRIBUTES_BYTES, MAX_SUBJECT_ID, Subject, SubjectRef


def check(subject_id: str) -> str:
    """The id itself when it may name a subject. Raises InvalidSubjectId."""
    if not 1 <= len(subject_id) <= MAX_SUBJECT_ID or not subject_id.isprintable() or subject_id != subject_id.strip():
        raise InvalidSubjectId
    return subject_id


def ensure(subject_id: str, *, actor: Actor = SYSTEM, request_id: UUID | None = None) -> SubjectRef:
    """The subject of this id, created when it is new. One query for a known one; safe when called twice at once.

    Raises InvalidSubjectId; SubjectErasing while all that is known of it is being erased.
    """
    return ensure_many((subject_id,), actor=actor, request_id=request_id)[subject_id]


def ensure_many(
    subject_ids: Iterable[str], *, actor: Actor = SYSTEM, request_id: UUID | None = None
) -> dict[str, SubjectRef]:
    """All these subjects by id, the new ones created in one transaction. Raises InvalidSubjectId or SubjectErasing
    before anything is written."""
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
        for subject_id in missing:
            if subject_id not in present:
                raise SubjectErasing(subject_id)
        for ref in present.values():
            if ref.pk in made:  # otherwise another caller's row came first, and its creator has recorded it
                _created(ref, actor, request_id)
    return known | present


def put(
    subject_id: str,
    *,
    display_name: str | None,
    attributes: dict[str, Any],
    team_ids: Sequence[str],
    actor: Actor,
    request_id: UUID | None = None,
) -> Subject:
    """Set what is said of a subject, created when it is new; all three are replaced. Of two at once, the later one
    holds. Teams are the caller's to check. Raises InvalidSubjectId, BadRequest, SubjectErasing."""
    given = plain(attributes)
    size = len(json.dumps(given, ensure_ascii=False).encode())
    if size > MAX_ATTRIBUTES_BYTES:
        message = f"has {size} bytes as JSON; at most {MAX_ATTRIBUTES_BYTES} are kept"
        raise BadRequest(
            f"attributes {message}.",
            code="attributes_too_large",
            problems=(FieldProblem("#/attributes", "attributes_too_large", message),),
        )
    with transaction.atomic():
        ref = ensure(subject_id, actor=actor, request_id=request_id)
        row = SubjectRow.objects.select_for_update().filter(pk=ref.pk, erasing_at=None).first()
        if row is None:
            raise SubjectErasing(subject_id)
        name = clean(display_name) if display_name else None
        new = {"display_name": name, "attributes": given, "team_ids": sorted(set(team_ids))}
        changed = [field for field, value in new.items() if getattr(row, field) != value]
        if changed:
            for field, value in new.items():
                setattr(row, field, value)
            row.updated_at = clock.now()
            row.save(update_fields=[*new, "updated_at"])
            detail: dict[str, Any] = {"changed": changed, "team_ids": row.team_ids}
            record(
                Change(
                    "subject.updated",
                    actor,
                    f"subject:{subject_id}",
                    subject_id=subject_id,
                    request_id=request_id,
                    detail=detail,
                ),
                Event("subject.updated", {"changed": changed}, subject_id=subject_id),
            )
        return selectors.to_subject(row)


def _created(ref: SubjectRef, actor: Actor, request_id: UUID | None) -> None:
    change = Change("subject.created", actor, f"subject:{ref.id}", subject_id=ref.id, request_id=request_id)
    record(change, Event("subject.created", {}, subject_id=ref.id))
