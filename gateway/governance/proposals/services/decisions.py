"""Yes, no, and once more. A decision is one short transaction; carrying it out is ``execution``'s.

Two people may decide at the same moment: the row's lock puts them in order, the first one wins, and the second hears
who it was. The same decision again is no decision: it answers with the proposal as it is.

Where a proposal needs several people, each yes is a vote of a person; the last one needed approves. One person has one
vote, whether they use the console or keys of theirs, and all keys without a person have one. One no rejects.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from django.db import transaction

from gateway.core import clock, ids
from gateway.core.journal import SYSTEM, Actor
from gateway.core.plain import clean, plain
from gateway.governance.proposals import registry
from gateway.governance.proposals.diff import current
from gateway.governance.proposals.dispatch import dispatch
from gateway.governance.proposals.errors import AlreadyDecided, NotFailed, ProposalExpired, UnknownProposal
from gateway.governance.proposals.models import ProposalRow, VoteRow
from gateway.governance.proposals.reach import check_allowed, reach_of
from gateway.governance.proposals.selectors import approvals_of, to_proposal
from gateway.governance.proposals.states import APPROVED_STATES, Step, after
from gateway.governance.proposals.trail import leave
from gateway.governance.proposals.types import Proposal, State
from gateway.platform.outbox.services import mark, unmark
from gateway.platform.outbox.types import Kind
from tenants.types import Principal

# Who has a vote; a policy or the system has none.
_PEOPLE = frozenset({"user", "key", "token"})
OWNERLESS = "key:without_owner"
_SETTLED = frozenset({State.EXECUTING, State.EXECUTED, State.REJECTED, State.EXPIRED})


def approve(
    proposal_id: UUID,
    *,
    actor: Actor,
    comment: str = "",
    undo_seconds: int = 0,
    request_id: UUID | None = None,
    principal: Principal | None = None,
    rule_id: UUID | None = None,
    hand_over: bool = False,
) -> Proposal:
    """Say yes. Nothing is carried out before ``undo_seconds`` have passed; until then ``reject`` takes it back.

    With 0 the caller is expected to call ``execute`` next (unless the type does not run inline, or ``hand_over`` is
    set: then a worker was told already). A proposal that needs more people stays pending, with this vote among its
    ``approvals``; a policy has no vote. ``rule_id`` is the rule that decides. Raises UnknownProposal, Forbidden
    (scoped key, also of what would replace a memory beyond it), AlreadyDecided when it was rejected, ProposalExpired.
    """
    with transaction.atomic():
        row, expired = _read(proposal_id, principal)
        waiting = not expired and row.state == State.PENDING
        if waiting:
            _within_reach(row, principal)
        if waiting and _enough(row, actor, comment, principal, request_id):
            now = clock.now()
            _decide(row, Step.APPROVE, actor, comment)
            row.execute_after, row.rule_id = now + timedelta(seconds=undo_seconds), rule_id
            row.reach = reach_of(principal).as_json()
            row.save()
            mark(Kind.PROPOSAL, [row.id])
            event = {"decided_by": str(actor), "comment": row.comment, "execute_after": row.execute_after.isoformat()}
            detail = {"undo_seconds": undo_seconds, **({"rule_id": ids.public("rul", rule_id)} if rule_id else {})}
            leave(row, "write.approved", actor, request_id=request_id, detail=detail, event=event)
            if undo_seconds or hand_over or not registry.runs_inline(row.type):
                dispatch(row.id, delay_s=undo_seconds)
        said = approvals_of([row]).get(row.id, ())
    if expired:
        raise _expired(row)
    if row.state not in APPROVED_STATES and row.state != State.PENDING:
        raise _decided_otherwise(row)
    return to_proposal(row, said)


def voter_of(actor: Actor, principal: Principal | None) -> str:
    """Whose vote a decision is: the person's; for a key or a token, that of the person who answers for the key. Keys
    that nobody answers for have one vote together: one of them can make another."""
    if principal is None or principal.user is not None:
        return str(actor)
    owner = principal.key.owner_user_id if principal.key is not None else None
    return str(Actor("user", ids.public("usr", owner))) if owner is not None else OWNERLESS


def reject(
    proposal_id: UUID,
    *,
    actor: Actor,
    comment: str = "",
    request_id: UUID | None = None,
    principal: Principal | None = None,
) -> Proposal:
    """Say no, or take back an approval within its undo window. Raises as ``approve`` does, AlreadyDecided when it was
    approved.
    """
    with transaction.atomic():
        row, expired = _read(proposal_id, principal)
        undo = row.state == State.APPROVED and row.execute_after is not None and row.execute_after > clock.now()
        if not expired and (undo or row.state == State.PENDING):
            _decide(row, Step.WITHDRAW if undo else Step.REJECT, actor, comment)
            row.execute_after = None
            row.save()
            unmark(Kind.PROPOSAL, [row.id])
            event = {"decided_by": str(actor), "comment": row.comment}
            leave(row, "write.rejected", actor, request_id=request_id, detail={"withdrawn": undo}, event=event)
    if expired:
        raise _expired(row)
    if row.state != State.REJECTED:
        raise _decided_otherwise(row)
    return to_proposal(row, approvals_of([row]).get(row.id, ()))


def retry(
    proposal_id: UUID, *, actor: Actor, request_id: UUID | None = None, principal: Principal | None = None
) -> Proposal:
    """Have a failed proposal carried out again; the caller calls ``execute`` next, as after ``approve``.

    One that is on its way again already is answered as it is. Raises UnknownProposal, Forbidden, NotFailed.
    """
    with transaction.atomic():
        row, _ = _read(proposal_id, principal)
        if row.state == State.FAILED:
            _within_reach(row, principal)
            row.reach = reach_of(principal).as_json()
            row.state = after(State.FAILED, Step.RETRY)
            row.execute_after, row.attempts, row.error = clock.now(), 0, None
            row.save(update_fields=["state", "execute_after", "attempts", "error", "reach"])
            mark(Kind.PROPOSAL, [row.id])
            leave(row, "proposal.retried", actor, request_id=request_id, announce=False)
            if not registry.runs_inline(row.type):
                dispatch(row.id)
    if row.state not in {State.APPROVED, State.EXECUTING}:
        shown = to_proposal(row).state
        raise NotFailed(f"The proposal is {shown}; only a failed one can be retried.", extra={"state": shown.value})
    return to_proposal(row)


def expire(row: ProposalRow) -> None:
    """End a locked pending row whose time has run out, inside the caller's transaction."""
    row.diff = plain(current(to_proposal(row)))
    row.state = after(State(row.state), Step.EXPIRE)
    row.save(update_fields=["state", "diff"])
    leave(row, "proposal.expired", SYSTEM)


def _read(proposal_id: UUID, principal: Principal | None) -> tuple[ProposalRow, bool]:
    """The row and whether it has expired undecided. Locked as long as a decision about it is possible.

    What is settled is read without the lock, which a running execution may hold for as long as it takes.
    """
    row = ProposalRow.objects.filter(pk=proposal_id).first()
    if row is None:
        raise UnknownProposal("There is no such proposal.")
    check_allowed(principal, row.subject_id, row.persona_id, row.memory_scope)
    if row.state not in _SETTLED:
        row = ProposalRow.objects.select_for_update().get(pk=proposal_id)
        if row.state == State.PENDING and row.expires_at <= clock.now():
            expire(row)
    return row, row.state == State.EXPIRED


def _enough(row: ProposalRow, actor: Actor, comment: str, principal: Principal | None, request_id: UUID | None) -> bool:
    """Count this yes; whether there are now as many as it takes."""
    if row.quorum <= 1:
        return True
    if actor.kind not in _PEOPLE:
        return False
    votes = VoteRow.objects.filter(proposal_id=row.id)
    voter = voter_of(actor, principal)
    if not votes.filter(voter=voter).exists():
        VoteRow(proposal_id=row.id, voter=voter, actor=str(actor), comment=clean(comment)).save(force_insert=True)
        detail = {"voter": voter, "needed": row.quorum}
        leave(row, "proposal.voted", actor, request_id=request_id, detail=detail, announce=False)
    return votes.count() >= row.quorum


def _within_reach(row: ProposalRow, principal: Principal | None) -> None:
    """Raise Forbidden when carrying it out would change what the caller's key may not touch."""
    executor, reach = registry.find(row.type), reach_of(principal)
    if reach.is_narrow and executor is not None and executor.permit is not None:
        executor.permit(replace(to_proposal(row), reach=reach))


def _decide(row: ProposalRow, step: Step, actor: Actor, comment: str) -> None:
    """What is decided is kept with what it was decided upon: the diff against what is now."""
    if row.state == State.PENDING:
        row.diff = plain(current(to_proposal(row)))
    row.state = after(State(row.state), step)
    row.decided_by, row.decided_at, row.comment = str(actor), clock.now(), clean(comment)


def _expired(row: ProposalRow) -> ProposalExpired:
    when = row.expires_at.isoformat()
    return ProposalExpired(f"The proposal expired at {when}.", extra={"state": row.state, "expires_at": when})


def _decided_otherwise(row: ProposalRow) -> AlreadyDecided:
    when = row.decided_at.isoformat() if row.decided_at else None
    verdict = "rejected" if row.state == State.REJECTED else "approved"
    extra = {"state": row.state, "verdict": verdict, "decided_by": row.decided_by, "decided_at": when}
    return AlreadyDecided(f"{row.decided_by} {verdict} this proposal at {when}.", extra=extra)
