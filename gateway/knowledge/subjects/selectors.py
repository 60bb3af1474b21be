"""Reads of subjects."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gateway.core.pagination import Page, check_limit, decode_cursor
from gateway.core.pagination import page as cut
from gateway.knowledge.subjects.errors import SubjectNotFound
from gateway.knowledge.subjects.models import SubjectRow
from gateway.knowledge.subjects.types import Subject, SubjectRef


def find(subject_id: str) -> SubjectRef | None:
    """The subject of this id, if it is known. An id that could never exist is simply not known."""
    return find_many((subject_id,)).get(subject_id)


def find_many(subject_ids: Iterable[str]) -> dict[str, SubjectRef]:
    """The known ones among ``subject_ids``, by id; one query."""
    wanted = [subject_id for subject_id in subject_ids if subject_id.isprintable()]
    rows = SubjectRow.objects.filter(subject_id__in=wanted).values_list("id", "subject_id")
    return {subject_id: SubjectRef(pk, subject_id) for pk, subject_id in rows}


def get(subject_id: str) -> Subject:
    """One subject. Raises SubjectNotFound."""
    row = SubjectRow.objects.filter(subject_id=subject_id).first() if subject_id.isprintable() else None
    if row is None:
        raise SubjectNotFound(f"There is no subject {subject_id!r}.")
    return Subject(row.id, row.subject_id, row.created_at)


def page(*, limit: int | None = None, cursor: str | None = None, only: Sequence[str] | None = None) -> Page[Subject]:
    """Subjects in the order of their creation; ``only`` narrows to what a scoped key may see (None: all)."""
    size, after = check_limit(limit), decode_cursor(cursor)
    rows = SubjectRow.objects.order_by("id")
    if only is not None:
        rows = rows.filter(subject_id__in=list(only))
    if after is not None:
        rows = rows.filter(id__gt=after)
    found = [Subject(row.id, row.subject_id, row.created_at) for row in rows[: size + 1]]
    return cut(found, size, key=lambda subject: subject.pk)
