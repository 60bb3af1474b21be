"""Beginning an erasure."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from gateway.core.journal import Actor, Change, record
from gateway.knowledge.subjects import erasing
from gateway.platform.operations import selectors as operations
from gateway.platform.operations import services as operation_services
from gateway.platform.operations.types import Operation

KIND = "subject.erase"


def start(subject_id: str, *, actor: Actor, request_id: UUID | None = None) -> Operation:
    """Hide the subject at once and have a worker erase all that is known of it. While that is under way, the same
    operation; one that failed or was cancelled is begun again. Raises SubjectNotFound."""
    with transaction.atomic():
        subject = erasing.hold(subject_id)
        if subject.erasure_id is not None:
            begun = operations.get(subject.erasure_id)
            if not begun.state.finished:
                return begun
        payload = {"subject_pk": str(subject.pk), "actor": [actor.kind, actor.id]}
        operation = operation_services.start(KIND, actor=actor, payload=payload, request_id=request_id)
        erasing.begin(subject.pk, operation.id)
        record(
            Change(
                "subject.erasure_started",
                actor,
                f"subject:{subject_id}",
                subject_id=subject_id,
                request_id=request_id,
                detail={"operation_id": operation.public_id},
            )
        )
    return operation
