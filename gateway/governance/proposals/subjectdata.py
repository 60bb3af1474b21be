"""A subject's share of the proposals: shown when it is exported, deleted when it is erased."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet

from gateway.core import ids
from gateway.core.subjectdata import Target
from gateway.governance.proposals.models import ProposalRow, VoteRow
from gateway.platform.outbox.services import unmark
from gateway.platform.outbox.types import Kind

BATCH = 500


def count(target: Target) -> int:
    """How many proposals are about the subject, in any state."""
    return _rows(target).count()


def export(target: Target) -> Iterator[dict[str, Any]]:
    """Every proposal about the subject, with what it would write, its source and what became of it."""
    for row in _rows(target).order_by("id").iterator(200):
        yield {
            "type": "proposal",
            "id": ids.public("prop", row.id),
            "proposal_type": row.type,
            "payload": row.payload,
            "diff": row.diff,
            "persona_id": row.persona_id,
            "conversation_id": ids.public("conv", row.conversation_id) if row.conversation_id else None,
            "request_id": ids.public("req", row.request_id) if row.request_id else None,
            "provenance": row.provenance,
            "confidence": row.confidence,
            "state": row.state,
            "comment": row.comment,
            "decided_by": row.decided_by,
            "decided_at": row.decided_at,
            "executed_at": row.executed_at,
            "result": row.result,
            "created_at": row.created_at,
        }


def erase(target: Target) -> dict[str, int]:
    """Delete every proposal about the subject with its votes, also one that is being executed: its worker finds
    nothing left to finish. Running it again finds none."""
    counts = {"proposals": 0, "proposal_votes": 0}
    while batch := list(_rows(target).order_by("id").values_list("id", flat=True)[:BATCH]):
        with transaction.atomic():
            unmark(Kind.PROPOSAL, batch)
            counts["proposal_votes"] += VoteRow.objects.filter(proposal_id__in=batch).delete()[0]
            counts["proposals"] += ProposalRow.objects.filter(pk__in=batch).delete()[0]
    return counts


def _rows(target: Target) -> QuerySet[ProposalRow]:
    by_id = Q(subject_id=target.id)
    if target.before is not None:
        by_id &= Q(subject_pk=None, id__lt=ids.uuid7_at(int(target.before.timestamp() * 1000), 0))
    return ProposalRow.objects.filter(Q(subject_pk=target.pk) | by_id)
