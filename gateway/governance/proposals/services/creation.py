"""From drafts to pending proposals."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from datetime import timedelta

import structlog
from django.db import InterfaceError, OperationalError, transaction

from gateway.core import clock, ids
from gateway.core.errors import FieldProblem, GatewayError
from gateway.core.journal import Actor
from gateway.core.nesting import TOO_DEEP, is_too_deep
from gateway.core.plain import clean, plain
from gateway.governance.policies.types import EffectivePolicy
from gateway.governance.proposals import permissions, registry
from gateway.governance.proposals.diff import diff_of
from gateway.governance.proposals.errors import UnknownType
from gateway.governance.proposals.models import ProposalRow, TypeRow
from gateway.governance.proposals.reach import check_allowed
from gateway.governance.proposals.selectors import to_proposal
from gateway.governance.proposals.sources import kind_of
from gateway.governance.proposals.trail import leave
from gateway.governance.proposals.types import Created, Draft, Rejected, State
from tenants.types import Principal

log = structlog.get_logger(__name__)
EXPIRES_IN = timedelta(days=7)
MAX_PAYLOAD_BYTES = 64 * 1024
INTERNAL = GatewayError.default_code
_TYPE = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")


class _Wrong(Exception):
    """A draft that becomes no proposal."""

    def __init__(self, *problems: FieldProblem) -> None:
        super().__init__()
        self.problems = problems


def create(
    drafts: Iterable[Draft],
    *,
    actor: Actor,
    policy: EffectivePolicy | None = None,
    principal: Principal | None = None,
    rules_asked: bool = False,
) -> Created:
    """Store drafts as pending proposals, all in one transaction; each leaves ``proposal.created``.

    A draft that is malformed, too large, of a type that nobody carries out, does not fit its type or that ``policy``
    (the one that holds where it was drafted) does not allow becomes no proposal and is handed back with the reason; so
    is one that we stumble over (``internal_error``), which stops no other. ``rules_asked`` says that it may go ahead
    without a person. With a ``principal``, raises Forbidden for what lies beyond its key.
    """
    proposals, rejected = [], []
    drafts = list(drafts)
    with transaction.atomic():
        settled = {row.type: row for row in TypeRow.objects.filter(type__in={draft.type for draft in drafts})}
        for index, draft in enumerate(drafts):
            try:
                row = _checked(draft, settled.get(draft.type), policy)
            except _Wrong as wrong:
                reason = "; ".join(f"{problem.pointer}: {problem.message}" for problem in wrong.problems[:5])
                rejected.append(Rejected(index, draft.type, draft.payload, reason, wrong.problems))
                continue
            check_allowed(principal, row.subject_id, row.persona_id, row.memory_scope)
            row.rules_asked = rules_asked
            row.save(force_insert=True)
            leave(row, "proposal.created", actor, event={"expires_at": row.expires_at.isoformat()})
            proposals.append(to_proposal(row))
    return Created(tuple(proposals), tuple(rejected))


def _checked(draft: Draft, settled: TypeRow | None, policy: EffectivePolicy | None) -> ProposalRow:
    """The row of a draft, not yet stored. Raises _Wrong, also for a fault of ours: a person's sentence must not cost
    them all the others."""
    try:
        with transaction.atomic():
            problems = _problems(draft) or _refusals(policy, draft)
            if problems:
                raise _Wrong(*problems)
            return _row(draft, settled)
    except (_Wrong, OperationalError, InterfaceError):
        raise
    except Exception as error:
        request = ids.public("req", draft.request_id) if draft.request_id else None
        log.exception("proposal.draft_failed", type=draft.type, request_id=request)
        told = f"could not be looked at for a reason of ours; ask with the request id {request}"
        raise _Wrong(FieldProblem("#/payload", INTERNAL, told)) from error


def _problems(draft: Draft) -> tuple[FieldProblem, ...]:
    if not _TYPE.fullmatch(draft.type) or len(draft.type) > 64:
        return (FieldProblem("#/type", "invalid_type", "must look like noun.verb, at most 64 characters"),)
    if is_too_deep(draft.payload):
        return (FieldProblem("#/payload", "too_deep", TOO_DEEP),)
    executor = registry.find(draft.type)
    if executor is None:
        message = f"there is no such type; the types are {', '.join(registry.types())}"
        return (FieldProblem("#/type", UnknownType.default_code, message),)
    size = len(json.dumps(plain(draft.payload), ensure_ascii=False).encode())
    if size > MAX_PAYLOAD_BYTES:
        message = f"{size} bytes of JSON, at most {MAX_PAYLOAD_BYTES}"
        return (FieldProblem("#/payload", "too_large", message),)
    if not math.isfinite(draft.confidence) or not 0 <= draft.confidence <= 1:
        return (FieldProblem("#/provenance/confidence", "out_of_range", "must be 0 to 1"),)
    return executor.problems(draft.payload) or _never(executor, draft)


def _never(executor: registry.Executor, draft: Draft) -> tuple[FieldProblem, ...]:
    """Why carrying it out would fail however often it is tried."""
    if executor.check is None:
        return ()
    try:
        executor.check(draft)
    except GatewayError as error:
        problems = error.problems or (FieldProblem("#", error.code, error.detail),)
        return tuple(FieldProblem("#/payload" + one.pointer[1:], one.code, one.message) for one in problems)
    return ()


def _refusals(policy: EffectivePolicy | None, draft: Draft) -> tuple[FieldProblem, ...]:
    found = permissions.problem(policy, draft) if policy is not None else None
    return (found,) if found else ()


def _row(draft: Draft, settled: TypeRow | None) -> ProposalRow:
    now = clock.now()
    expires_in = draft.expires_in
    if expires_in is None:
        seconds = settled.expires_in_s if settled is not None else None
        expires_in = EXPIRES_IN if seconds is None else timedelta(seconds=seconds)
    executor = registry.find(draft.type)
    collection = executor.collection if executor is not None else None
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
        memory_scope=collection(draft) if collection is not None else kind_of(draft.source),
    )
