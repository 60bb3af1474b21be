"""``webhook.call``: a signed POST to a server that the organization named.

Exactly once is a promise of two: we record one execution, and every delivery of it carries the same ``webhook-id``,
``Idempotency-Key`` and body. A call whose answer was lost is made again; a receiver that keeps the ids it has seen
does the work once.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from gateway.core import clock, egress, ids
from gateway.core.crypto import Secret
from gateway.governance.proposals import registry, signing, targets
from gateway.governance.proposals.errors import EffectFailed
from gateway.governance.proposals.types import Effect, Proposal

TIMEOUTS = egress.Timeouts(connect=5, first_byte=15, stall=5, total=25)
_MOST_OF_ANSWER = 64 * 1024
NAME: dict[str, Any] = {"type": "string", "pattern": "^[a-z][a-z0-9-]{0,39}$"}
SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "webhook.call",
    "description": "Tell a system of the organization's something, by a signed POST.",
    "type": "object",
    "additionalProperties": False,
    "required": ["data"],
    "properties": {
        "target": {
            **NAME,
            "description": "Which of the organization's webhook targets; may be left out for the only one.",
        },
        "event": {
            "type": "string",
            "pattern": "^[a-z][a-z0-9_]*(\\.[a-z][a-z0-9_]*)*$",
            "maxLength": 64,
            "description": "What the receiver shall read it as, such as ticket.opened.",
        },
        "data": {"type": "object", "description": "What is told."},
    },
}


@dataclass(frozen=True, slots=True)
class Receiver:
    """Where the call goes, and what signs it."""

    name: str
    url: str
    secret: Secret


def prepare(proposal: Proposal) -> Receiver:
    target = targets.choose(targets.Kind.WEBHOOK, proposal.payload.get("target"))
    return Receiver(target.name, target.url, target.secret())


async def call(proposal: Proposal, receiver: Receiver) -> Effect:
    """One delivery. Raises EffectFailed for an answer that is no 2xx, and what ``egress.open`` raises."""
    body = body_of(proposal)
    status = await post(receiver, proposal.public_id, body)
    return Effect({"target": receiver.name, "webhook_id": proposal.public_id, "status": status})


async def ping(receiver: Receiver) -> int:
    """A signed call of type ``ping``, to see that the receiver takes it; its status."""
    body = json.dumps({"type": "ping", "timestamp": clock.now().isoformat(), "data": {}}).encode()
    return await post(receiver, ids.public("msg", ids.uuid7()), body)


async def post(receiver: Receiver, message_id: str, body: bytes) -> int:
    headers = {
        "content-type": "application/json",
        "idempotency-key": message_id,
        **signing.headers(message_id, int(clock.now().timestamp()), body, receiver.secret),
    }
    async with egress.open(
        "POST", receiver.url, headers, body, trusted=False, timeouts=TIMEOUTS, max_body=_MOST_OF_ANSWER
    ) as response:
        if not 200 <= response.status < 300:
            passing = response.status in {408, 425, 429} or response.status >= 500
            told = f"The webhook target {receiver.name!r} answered {response.status}."
            raise EffectFailed(told, code="webhook_refused", passing=passing)
        return response.status


def body_of(proposal: Proposal) -> bytes:
    """The same bytes for every delivery of a proposal."""
    decided = proposal.decided_at or proposal.created_at
    message = {
        "type": proposal.payload.get("event", "webhook.call"),
        "timestamp": decided.isoformat(),
        "data": proposal.payload["data"],
        "proposal_id": proposal.public_id,
        "subject_id": proposal.subject_id,
        "persona_id": proposal.persona_id,
    }
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()


EXECUTOR = registry.Executor(type="webhook.call", schema=SCHEMA, external=registry.External(prepare=prepare, call=call))
