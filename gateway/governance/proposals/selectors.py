"""Reads of the proposals of the organization in scope."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from django.db.models import Q, QuerySet

from gateway.core import clock
from gateway.core.errors import Forbidden
from gateway.core.pagination import Page, page
from gateway.core.plain import plain
from gateway.governance.proposals.diff import shown
from gateway.governance.proposals.errors import UnknownProposal
from gateway.governance.proposals.models import ProposalRow, VoteRow
from gateway.governance.proposals.reach import check_allowed, kept, reach_of
from gateway.governance.proposals.types import Approval, Compensation, Proposal, ProposalFilter, State
from tenants.types import Principal


def get(proposal_id: UUID, *, principal: Principal | None = None) -> Proposal:
    """One proposal. Raises UnknownProposal, and Forbidden when the key may not see its subject, persona or
    collection."""
    row = ProposalRow.objects.filter(pk=proposal_id).first()
    if row is None:
        raise UnknownProposal("There is no such proposal.")
    check_allowed(principal, row.subject_id, row.persona_id, row.memory_scope)
    return to_proposal(row, approvals_of([row]).get(row.id, ()))


def look(proposal_id: UUID, *, principal: Principal | None = None) -> Proposal:
    """One proposal for the eye of whoever decides: while it is pending, its diff is against what is now. Raises as
    ``get`` does."""
    return for_reader(get(proposal_id, principal=principal), principal)


def for_reader(proposal: Proposal, principal: Principal | None) -> Proposal:
    """The proposal with as much of its diff as this caller may read, against what is now while it is pending."""
    return replace(proposal, diff=plain(shown(proposal, reach_of(principal))))


def list_page(
    wanted: ProposalFilter, *, limit: int, after: UUID | None, principal: Principal | None = None
) -> Page[Proposal]:
    """Proposals as they are kept, newest first. A scoped key sees those of its subjects, personas and collections;
    asking for another's raises Forbidden.
    """
    rows = narrowed(wanted, principal).order_by("-id")
    if after is not None:
        rows = rows.filter(id__lt=after)
    found = list(rows[: limit + 1])
    said = approvals_of(found)
    return page([to_proposal(row, said.get(row.id, ())) for row in found], limit)


def look_page(
    wanted: ProposalFilter, *, limit: int, after: UUID | None, principal: Principal | None = None
) -> Page[Proposal]:
    """``list_page`` for the eye of whoever decides: each as ``look`` shows it."""
    found = list_page(wanted, limit=limit, after=after, principal=principal)
    return Page([for_reader(one, principal) for one in found.data], found.next_cursor)


def narrowed(wanted: ProposalFilter, principal: Principal | None) -> QuerySet[ProposalRow]:
    """The rows of a filter that this caller may see. Raises Forbidden when it asks for another's."""
    equal = {
        "type": wanted.type,
        "subject_id": wanted.subject_id,
        "persona_id": wanted.persona_id,
        "created_at__gte": wanted.since,
        "created_at__lt": wanted.until,
    }
    rows = ProposalRow.objects.filter(**{name: value for name, value in equal.items() if value is not None})
    if wanted.state is not None:
        rows = rows.filter(_in_state(wanted.state))
    if principal is not None:
        if wanted.subject_id is not None and not principal.may_use_subject(wanted.subject_id):
            raise Forbidden(f"This key may not see subject {wanted.subject_id!r}.", code="subject_not_allowed")
        if wanted.persona_id is not None and not principal.may_use_persona(wanted.persona_id):
            raise Forbidden(f"This key may not see persona {wanted.persona_id!r}.", code="persona_not_allowed")
        if principal.grant.subject_ids is not None:
            rows = rows.filter(subject_id__in=principal.grant.subject_ids)
        if principal.grant.persona_ids is not None:
            rows = rows.filter(persona_id__in=principal.grant.persona_ids)
        if principal.grant.memory_scopes is not None:
            rows = rows.filter(memory_scope__in=principal.grant.memory_scopes)
    return rows


def approvals_of(rows: Sequence[ProposalRow]) -> dict[UUID, tuple[Approval, ...]]:
    """Who said yes so far, by proposal, for those that need several; one query, none when no row does."""
    several = [row.id for row in rows if row.quorum > 1]
    said: dict[UUID, tuple[Approval, ...]] = {}
    if several:
        for vote in VoteRow.objects.filter(proposal_id__in=several).order_by("id"):
            one = Approval(vote.voter, vote.actor, vote.comment, vote.created_at)
            said[vote.proposal_id] = (*said.get(vote.proposal_id, ()), one)
    return said


def first_decided_at() -> datetime | None:
    """When somebody (not a policy) first decided a proposal; None while nobody has."""
    rows = ProposalRow.objects.filter(decided_at__isnull=False, decided_by__regex="^(user|key):").order_by("decided_at")
    return rows.values_list("decided_at", flat=True).first()


def to_proposal(row: ProposalRow, approvals: tuple[Approval, ...] = ()) -> Proposal:
    """The row as a value. One that ran out is ``expired`` from that moment, whether or not the sweep has come by."""
    state = State(row.state)
    if state is State.PENDING and row.expires_at <= clock.now():
        state = State.EXPIRED
    return Proposal(
        id=row.id,
        type=row.type,
        payload=row.payload,
        diff=row.diff,
        subject_id=row.subject_id,
        subject_pk=row.subject_pk,
        persona_id=row.persona_id,
        conversation_id=row.conversation_id,
        request_id=row.request_id,
        provenance=row.provenance,
        confidence=row.confidence,
        state=state,
        expires_at=row.expires_at,
        decided_by=row.decided_by,
        decided_at=row.decided_at,
        comment=row.comment,
        execute_after=row.execute_after,
        attempts=row.attempts,
        executed_at=row.executed_at,
        result=row.result,
        assertion_id=row.assertion_id,
        error=row.error,
        created_at=row.created_at,
        quorum=row.quorum,
        approvals=approvals,
        rule_id=row.rule_id,
        compensation=_compensation(row),
        memory_scope=row.memory_scope,
        reach=kept(row.reach),
    )


def _compensation(row: ProposalRow) -> Compensation | None:
    said = row.compensation
    if row.compensation_state is None or said is None:
        return None
    at = datetime.fromisoformat(said["at"])
    return Compensation(row.compensation_state, said["by"], at, said["comment"], said.get("result"), said.get("error"))


def _in_state(state: State) -> Q:
    now = clock.now()
    if state is State.PENDING:
        return Q(state=State.PENDING, expires_at__gt=now)
    if state is State.EXPIRED:
        return Q(state=State.EXPIRED) | Q(state=State.PENDING, expires_at__lte=now)
    return Q(state=state)
