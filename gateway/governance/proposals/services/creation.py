"""From drafts to pending proposals."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from datetime import timedelta

from django.db import transaction

from gateway.core import clock
from gateway.core.errors import FieldProblem
from gateway.core.journal import Actor
from gateway.core.nesting import TOO_DEEP, is_too_deep
from gateway.core.plain import clean, plain
from gateway.governance.policies.types import EffectivePolicy
from gateway.governance.proposals import permissions, registry
from gateway.governance.proposals.diff import diff_of
from gateway.governance.proposals.models import ProposalRow, TypeRow
from gateway.governance.proposals.selectors import to_proposal
from gateway.governance.proposals.trail import leave
from gateway.governance.proposals.types import Created, Draft, Rejected, State

EXPIRES_IN = timedelta(days=7)
MAX_PAYLOAD_BYTES = 64 * 1024
_TYPE = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")


def create(drafts: Iterable[Draft], *, actor: Actor, policy: EffectivePolicy | None = None) -> Created:
    """Store drafts as pending proposals, all in one transaction; each leaves ``proposal.created``.

    A draft that is malformed, too large, does not fit its type's schema or that ``policy`` (the one that holds where
    it was drafted) does not allow becomes no proposal and is handed back with
    the reason. A type that nobody executes is accepted: approving it ends in ``failed`` with
    ``executor_not_configured``, and it can be retried later.
    """
    proposals, rejected = [], []
    drafts = list(drafts)
    with transaction.atomic():
        settled = {row.type: row for row in TypeRow.objects.filter(type__in={draft.type for draft in drafts})}
        for index, draft in enumerate(drafts):
            problems = _problems(draft) or _refusals(policy, draft)
            if problems:
                reason = "; ".join(f"{problem.pointer}: {problem.message}" for problem in problems[:5])
                rejected.append(Rejected(index, draft.type, draft.payload, reason, problems))
                continue
            row = _row(draft, settled.get(draft.type))
            row.save(force_insert=True)
            leave(row, "proposal.created", actor, event={"expires_at": row.expires_at.isoformat()})
            proposals.append(to_proposal(row))
    return Created(tuple(proposals), tuple(rejected))


def _problems(draft: Draft) -> tuple[FieldProblem, ...]:
    if not _TYPE.fullmatch(draft.type) or len(draft.type) > 64:
        return (FieldProblem("#/type", "invalid_type", "must look like noun.verb, at most 64 characters"),)
    if is_too_deep(draft.payload):
        return (FieldProblem("#/payload", "too_deep", TOO_DEEP),)
    size = len(json.dumps(plain(draft.payload), ensure_ascii=False).encode())
    if size > MAX_PAYLOAD_BYTES:
        message = f"{size} bytes of JSON, at most {MAX_PAYLOAD_BYTES}"
        return (FieldProblem("#/payload", "too_large", message),)
    if not math.isfinite(draft.confidence) or not 0 <= draft.confidence <= 1:
        return (FieldProblem("#/provenance/confidence", "out_of_range", "must be 0 to 1"),)
    executor = registry.find(draft.type)
    return executor.problems(draft.payload) if executor else ()


def _refusals(policy: EffectivePolicy | None, draft: Draft) -> tuple[FieldProblem, ...]:
    found = permissions.problem(policy, draft) if policy is not None else None
    return (found,) if found else ()


def _row(draft: Draft, settled: TypeRow | None) -> ProposalRow:
    now = clock.now()
    expires_in = draft.expires_in
    if expires_in is None:
        seconds = settled.expires_in_s if settled is not None else None
        expires_in = EXPIRES_IN if seconds is None else timedelta(seconds=seconds)
    return ProposalRow(
        type=draft.type,
        payload=plain(draft.payload),
        diff=plain(diff_of(draft)),
        subject_id=draft.subject_id,
        subject_pk=draft.subject_pk,
        persona_id=draft.persona_id,
        conversation_id=draft.conversation_id,
        request_id=draft.request_id,
        provenance={"from": clean(draft.source)[:256], "confidence": draft.confidence},
        confidence=draft.confidence,
        state=State.PENDING,
        expires_at=now + expires_in,
        created_at=now,
        quorum=max(draft.quorum, settled.quorum if settled is not None else 1),
    )
