"""``subject.erase``: a worker goes over all parts until one whole pass finds nothing, then signs what it did.

Every part deletes in batches and can be run again, so a run that was lost is taken up at the part where it stopped.
The counts of that part may then be too low, and the receipt says so. Writers are refused from the beginning; what those
who came earlier still bring is found by the next pass, or within a day by the sweep.
"""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID

from django.db import transaction

from gateway.core import ids, subjectdata
from gateway.core.errors import Conflict, NotFound
from gateway.core.journal import Actor, Change, Event, record
from gateway.core.subjectdata import Target
from gateway.engine.erasure.kept import KEPT
from gateway.engine.erasure.services import KIND
from gateway.knowledge.subjects import erasing
from gateway.platform.operations.registry import OperationRun, runner
from gateway.platform.receipts import selectors as receipts
from gateway.platform.receipts import services as receipt_services
from gateway.platform.receipts.types import Receipt, ReceiptKind
from tenants.context import current

# The usage stream is written within this time on a quiet machine.
_SETTLING_S = 1.0
_MOST_PASSES = 20


@runner(KIND)
def run(operation: OperationRun) -> dict[str, Any]:
    """Erase the subject; the result names the receipt. Raises NotFound when another operation has done it, Conflict
    when something keeps writing about the subject."""
    subject_pk = UUID(operation.payload["subject_pk"])
    issued = receipts.of_source(ReceiptKind.SUBJECT_ERASED, current().id, operation.id)
    if issued is not None:  # the run before was lost between the receipt and its own end
        return _result(issued)
    subject = erasing.under_way(subject_pk)
    if subject is None:
        raise NotFound("The subject was erased by another operation.", code="subject_not_found")
    progress = _Progress(operation)
    progress.go_over(Target(subject.pk, subject.id))
    return _result(_finish(operation, subject_pk, subject.id, progress))


class _Progress:
    """How far the passes are: kept in the operation's checkpoint, so that the next run knows."""

    def __init__(self, operation: OperationRun) -> None:
        kept = operation.checkpoint or {}
        self._operation = operation
        self.counts: dict[str, int] = dict(kept.get("counts", {}))
        self.interrupted: bool = bool(kept.get("interrupted")) or kept.get("part") is not None
        self.passes = 0

    def go_over(self, target: Target) -> None:
        """Erase part by part until nothing is left. Raises Conflict after too many passes."""
        while self.passes < _MOST_PASSES:
            found = sum(self._erase(part, target) for part in subjectdata.parts() if part.erase is not None)
            self.passes += 1
            if found == 0 and self.passes > 1:
                return
            time.sleep(_SETTLING_S)
        raise Conflict("Something keeps writing about this subject; end that first.", code="erasure_not_clean")

    def _erase(self, part: subjectdata.Part, target: Target) -> int:
        self._keep(part.name)
        counts = part.erase(target) if part.erase is not None else {}
        for name, count in counts.items():
            self.counts[name] = self.counts.get(name, 0) + count
        self._keep(None)
        return sum(counts.values())

    def _keep(self, part: str | None) -> None:
        checkpoint = {"counts": self.counts, "interrupted": self.interrupted, "part": part}
        self._operation.advance(sum(self.counts.values()), checkpoint=checkpoint)


def _finish(operation: OperationRun, subject_pk: UUID, subject_id: str, progress: _Progress) -> Receipt:
    """The receipt, the end of the subject's row and the trail: all of it or nothing."""
    facts = {
        "operation_id": ids.public("op", operation.id),
        "erased": progress.counts,
        "counts_are_minimums": progress.interrupted,
        "left": 0,
        "kept": [{"what": what, "why": why} for what, why in KEPT],
    }
    with transaction.atomic():
        if not erasing.finish(subject_pk):
            raise NotFound("The subject was erased by another operation.", code="subject_not_found")
        receipt = receipt_services.issue(
            ReceiptKind.SUBJECT_ERASED, facts, organization=current(), source=operation.id, subject_id=subject_id
        )
        actor = Actor(*operation.payload["actor"])
        detail = {"receipt_id": receipt.public_id, "operation_id": facts["operation_id"], **progress.counts}
        record(
            Change("subject.erased", actor, f"subject:{subject_id}", subject_id=subject_id, detail=detail),
            Event("subject.erased", {"receipt_id": receipt.public_id}, subject_id=subject_id),
        )
    return receipt


def _result(receipt: Receipt) -> dict[str, Any]:
    return {"receipt_id": receipt.public_id, "erased": receipt.document["facts"]["erased"]}
