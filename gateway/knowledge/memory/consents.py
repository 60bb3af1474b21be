"""What a subject said about each source. A source taken back is out of every recall from the next request on; giving it
again restores what was known."""

from __future__ import annotations

from uuid import UUID

from django.db import connection, transaction

from gateway.core import clock
from gateway.core.errors import FieldProblem
from gateway.core.journal import Actor, Change, Event, record
from gateway.knowledge.memory import storage
from gateway.knowledge.memory.errors import InvalidMemory
from gateway.knowledge.memory.lines import MAX_CONSENTS, SourceConsent
from gateway.knowledge.memory.models import Consent
from gateway.knowledge.memory.types import MAX_NAME, Subject

# What says that a source may not be used: a consent taken back, or a boundary. One list for recall to read.
_KEEP_IN_STEP = """
UPDATE memory_subject SET version = version + 1, revoked = coalesce((SELECT array_agg(DISTINCT source) FROM (
    SELECT source FROM memory_consent WHERE subject_pk = %(pk)s AND revoked_at IS NOT NULL
    UNION ALL
    SELECT source FROM memory_boundary
    WHERE subject_pk = %(pk)s AND kind = 'source' AND lifted_at IS NULL) AS refused), '{}')
WHERE subject_pk = %(pk)s
"""


def put(subject: Subject, source: str, granted: bool, *, actor: Actor, request_id: UUID | None = None) -> SourceConsent:
    """Record a consent or take it back; the same again changes nothing. A source is compared without regard to case.
    Raises InvalidMemory for a name that no source can have, and for one source too many."""
    name = source_name(source)
    with transaction.atomic():
        storage.lock([(subject.pk, subject.id)])
        said = Consent.objects.filter(subject_pk=subject.pk)
        before = said.filter(source=name).first()
        if before is None and said.count() >= MAX_CONSENTS:
            message = f"a subject has at most {MAX_CONSENTS} consents"
            raise InvalidMemory([FieldProblem("#/source", "too_many", message)])
        if before is not None and (before.revoked_at is None) == granted:
            return _consent(before)
        now = clock.now()
        row = Consent(
            subject_pk=subject.pk, source=name, updated_by=str(actor),
            granted_at=now if granted else (before.granted_at if before else None), revoked_at=None if granted else now,
        )  # fmt: skip
        row.save(force_insert=before is None, force_update=before is not None)
        keep_in_step(subject.pk)
        action = "consent.granted" if granted else "consent.revoked"
        change = Change(
            action,
            actor,
            f"subject:{subject.id}",
            subject_id=subject.id,
            request_id=request_id,
            detail={"source": name},
        )
        record(change, Event("consent.updated", {"source": name, "granted": granted}, subject_id=subject.id))
        return _consent(row)


def of(subject_pk: UUID) -> list[SourceConsent]:
    """All that a subject said about sources, by their names."""
    return [_consent(row) for row in Consent.objects.filter(subject_pk=subject_pk).order_by("source")]


def source_name(source: str, pointer: str = "#/source") -> str:
    """A source as consents know it. Raises InvalidMemory."""
    name = source.strip().casefold()
    if not 1 <= len(name) <= MAX_NAME or not name.isprintable():
        message = f"must have 1 to {MAX_NAME} printable characters"
        raise InvalidMemory([FieldProblem(pointer, "length", message)])
    return name


def keep_in_step(subject_pk: UUID) -> None:
    """Bring the list that recall reads up to date, with a new version. Inside the transaction that changed why."""
    with connection.cursor() as cursor:
        cursor.execute(_KEEP_IN_STEP, {"pk": subject_pk})


def _consent(row: Consent) -> SourceConsent:
    return SourceConsent(row.source, row.revoked_at is None, row.granted_at, row.revoked_at, row.updated_by)
