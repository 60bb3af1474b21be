"""What the scheduler has done for proposals: carry out what was left behind, expire what nobody decided."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.db.models import Q

from gateway.core import clock
from gateway.governance.proposals.dispatch import dispatch
from gateway.governance.proposals.models import ProposalRow
from gateway.governance.proposals.services.compensation import RUNNING
from gateway.governance.proposals.services.decisions import expire
from gateway.governance.proposals.services.execution import execute
from gateway.governance.proposals.services.leases import LEASE
from gateway.governance.proposals.types import State

# Requests and workers that are alive get this long before the sweep looks whether they still are.
GRACE = timedelta(seconds=3)
_EXPIRE, _EXECUTE = 200, 50


def sweep(*, grace: timedelta = GRACE) -> int:
    """Expire and carry out what is due in the organization in scope; returns how many proposals. Safe beside anything
    else.

    An ``executing`` proposal whose worker lives is locked, or holds its lease, and is left alone, however long it
    takes. What is carried out or taken back elsewhere is handed to workers.
    """
    expired = _expire_due()
    now = clock.now()
    before = now - grace
    held_by_none = Q(lease_id__isnull=True) | Q(heartbeat_at__lte=now - LEASE)
    due_again = Q(execute_after__isnull=True) | Q(execute_after__lt=before)
    waiting = Q(state=State.APPROVED, execute_after__lt=before)
    begun = Q(state=State.EXECUTING, heartbeat_at__lt=before) & held_by_none & due_again
    rows = ProposalRow.objects.order_by("id").values_list("id", flat=True)
    due = list(rows.filter(waiting | begun)[:_EXECUTE])
    for proposal_id in due:
        execute(proposal_id)
    undoing = list(rows.filter(held_by_none, compensation_state=RUNNING, heartbeat_at__lt=before)[:_EXECUTE])
    for proposal_id in undoing:
        dispatch(proposal_id)
    return expired + len(due) + len(undoing)


def _expire_due() -> int:
    undecided = ProposalRow.objects.filter(state=State.PENDING, expires_at__lte=clock.now()).order_by("expires_at")
    with transaction.atomic():
        rows = list(undecided.select_for_update(skip_locked=True)[:_EXPIRE])
        for row in rows:
            expire(row)
    return len(rows)
