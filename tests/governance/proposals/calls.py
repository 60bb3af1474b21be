"""Webhook calls that tests propose, approve and have carried out as a worker does."""

from __future__ import annotations

from uuid import UUID

from gateway.core.crypto import Secret
from gateway.governance.proposals import selectors, tasks
from gateway.governance.proposals.services import targets
from gateway.governance.proposals.targets import Kind
from tenants.context import scope
from tests.governance.proposals.support import OWNER, approve, draft, propose
from tests.harness import eventually

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SUBJECT_PK = UUID(int=7)


def call_draft(**changes):
    payload = changes.pop("payload", {"event": "ticket.opened", "data": {"title": "Müde ☕"}})
    return draft(type="webhook.call", payload=payload, subject_pk=SUBJECT_PK, **changes)


def target(ref, url, name="crm"):
    with scope(ref):
        targets.put(name, kind=Kind.WEBHOOK, url=url, actor=OWNER, secret=Secret(SECRET))


def approved(ref, url, **changes):
    target(ref, url)
    proposal = propose(ref, call_draft(**changes))
    approve(ref, proposal.id)
    return proposal


def carry_out(ref, proposal_id):
    """As a worker does: the task's own way, in a loop of its own."""
    with scope(ref):
        tasks.execute.work(ref, str(proposal_id))
        return selectors.get(proposal_id)


def until(check):
    """The first true value of ``check``, looked for often."""
    return eventually(check, within=60, every=0.02)
