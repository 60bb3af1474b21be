"""Reads of subjects."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.db.models import Q

from gateway.core.pagination import Page, check_limit, decode_cursor
from gateway.core.pagination import page as cut
from gateway.knowledge.subjects.errors import SubjectErasing, SubjectNotFound
from gateway.knowledge.subjects.models import SubjectRow
from gateway.knowledge.subjects.types import Subject, SubjectFilter, SubjectRef


def find(subject_id: str) -> SubjectRef | None:
    """The subject of this id, if it is known. An id that could never exist is simply not known."""
    return find_many((subject_id,)).get(subject_id)


def find_many(subject_ids: Iterable[str]) -> dict[str, SubjectRef]:
    """The known ones among ``subject_ids``, by id; one query. One that is being erased is not known any more."""
    wanted = [subject_id for subject_id in subject_ids if subject_id.isprintable()]
    rows = SubjectRow.objects.filter(subject_id__in=wanted, erasing_at=None).values_list("id", "subject_id", "team_ids")
    return {subject_id: SubjectRef(pk, subject_id, tuple(teams)) for pk, subject_id, teams in rows}


def erasing(subject_ids: Iterable[str]) -> set[str]:
    """Those of these ids whose subject is being erased: nothing may be written of them until that is done."""
    rows = SubjectRow.objects.filter(subject_id__in=list(subject_ids), erasing_at__isnull=False)
    return set(rows.values_list("subject_id", flat=True))


def names(subject_pks: Iterable[UUID]) -> dict[UUID, str]:
    """The ids of these subjects, by their keys; one that is no more is missing. One query, none for none."""
    wanted = set(subject_pks)
    return dict(SubjectRow.objects.filter(pk__in=wanted).values_list("id", "subject_id")) if wanted else {}


def get(subject_id: str) -> Subject:
    """One subject. Raises SubjectNotFound, and SubjectErasing while it is being erased: nothing more is told of it."""
    found = look(subject_id)
    if found.erasing_at is not None:
        raise SubjectErasing(subject_id)
    return found


def look(subject_id: str) -> Subject:
    """One subject, also while it is being erased. Raises SubjectNotFound."""
    row = SubjectRow.objects.filter(subject_id=subject_id).first() if subject_id.isprintable() else None
    if row is None:
        raise SubjectNotFound(f"There is no subject {subject_id!r}.")
    return to_subject(row)


def page(wanted: SubjectFilter | None = None, *, limit: int | None = None, cursor: str | None = None) -> Page[Subject]:
    """Subjects in the order of their creation."""
    size, after = check_limit(limit), decode_cursor(cursor)
    asked = wanted or SubjectFilter()
    rows = SubjectRow.objects.order_by("id")
    if asked.prefix:
        if not asked.prefix.isprintable():
            return Page([], None)
        named = Q(display_name__istartswith=asked.prefix, erasing_at=None)
        rows = rows.filter(Q(subject_id__startswith=asked.prefix) | named)
    for field, value in (
        ("erasing_at__isnull", None if asked.state is None else asked.state == "active"),
        ("team_ids__contains", None if asked.team_id is None else [asked.team_id]),
        ("created_at__gte", asked.since),
        ("created_at__lt", asked.until),
        ("subject_id__in", asked.only),
        ("id__gt", after),
    ):
        if value is not None:
            rows = rows.filter(**{field: value})
    found = [to_subject(row) for row in rows[: size + 1]]
    return cut(found, size, key=lambda subject: subject.pk)


def to_subject(row: SubjectRow) -> Subject:
    """A row as others see it; while it is being erased, that it is."""
    if row.erasing_at is not None:
        return Subject(row.id, row.subject_id, row.created_at, erasing_at=row.erasing_at, erasure_id=row.erasure_id)
    return Subject(
        row.id,
        row.subject_id,
        row.created_at,
        row.display_name,
        row.attributes,
        tuple(row.team_ids),
        row.updated_at,
        row.erasing_at,
        row.erasure_id,
    )
