"""The audit entry and the event that every step of a proposal leaves, in the step's own transaction.

The audit keeps plain ids, type, state and the kind of source, which outlive the person they are about; payloads and
what a source says beyond its kind go into events only, which are rows of the organization and purged with it.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import transaction

from gateway.core import clock, ids
from gateway.core.journal import Actor, Change, Event, record
from gateway.governance.proposals.models import ProposalRow
from gateway.governance.proposals.sources import name_of
from gateway.platform.telemetry import events
from tenants.context import current


def leave(
    row: ProposalRow,
    action: str,
    actor: Actor,
    *,
    request_id: UUID | None = None,
    detail: dict[str, Any] | None = None,
    event: dict[str, Any] | None = None,
    announce: bool = True,
) -> None:
    """Record ``action`` on this proposal, and an event of the same name with ``event`` beside the proposal's own
    fields.
    """
    public_id = ids.public("prop", row.id)
    change = Change(
        action,
        actor,
        public_id,
        subject_id=row.subject_id,
        persona_id=row.persona_id,
        request_id=request_id or row.request_id,
        provenance={**row.provenance, "from": name_of(row.provenance["from"])},
        detail={"type": row.type, "state": row.state, **(detail or {})},
    )
    _tell(row, action)
    if not announce:
        record(change)
        return
    proposal = {
        "type": row.type, "payload": row.payload, "provenance": row.provenance, "memory_scope": row.memory_scope,
    }  # fmt: skip
    payload = {"proposal_id": public_id, "proposal": proposal, **(event or {})}
    record(change, Event(action, payload, subject_id=row.subject_id, persona_id=row.persona_id))


_DECISIONS = {"write.approved": "approved", "write.rejected": "rejected"}


def _tell(row: ProposalRow, action: str) -> None:
    """The operator's product events about proposals, once the step is committed."""
    if not events.listening():
        return
    org_id, public_id = current().public_id, ids.public("prop", row.id)
    kind, confidence, created_at = row.type, row.confidence, row.created_at
    if action == "proposal.created":
        transaction.on_commit(
            lambda: events.emit("gateway_proposal_created", org_id=org_id, proposal_type=kind, confidence=confidence)
        )
    elif action in _DECISIONS:
        latency_ms = round((clock.now() - created_at).total_seconds() * 1000)
        transaction.on_commit(
            lambda: events.emit(
                "gateway_proposal_resolved",
                org_id=org_id,
                proposal_id=public_id,
                decision=_DECISIONS[action],
                latency_ms=latency_ms,
            )
        )
