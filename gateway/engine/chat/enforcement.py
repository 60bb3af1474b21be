"""Locks that bound a request leave an entry in the audit, as the lock itself did when it was set.

A lock binds every request, so what it did is not written down for each: once a minute and worker for each caller and
each set of lines, with the request it was seen in. The entry travels with the call's reads, so the request waits for
nothing; each request's own decision record has all of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import structlog

from gateway.core import clock, ids
from gateway.core.endpoint import Call
from gateway.core.errors import Unavailable
from gateway.governance.policies.guards import Finding
from gateway.governance.policies.types import EffectivePolicy
from gateway.platform.admission import gate
from tenants.types import Principal

log = structlog.get_logger(__name__)
ACTION = "policy.enforced"
_MOST_LINES = 50
_MOST_SEEN = 10_000
_Seen = tuple[UUID, str, tuple[tuple[str, str], ...]]
# What was noted lately, by its minute; all of it is let go of when it is too many.
_seen: dict[_Seen, int] = {}


def note(call: Call, policy: EffectivePolicy, findings: Iterable[Finding] = ()) -> bool:
    """Note the locks that bound this call, and the locked guardrails that acted; whether anything was noted. Values
    and sentences are not kept: the entry of the lock itself has them."""
    principal: Principal = call.principal
    lines = _lines(policy, findings)
    if not lines or not _is_due((principal.ref.id, str(principal.actor), lines)):
        return False
    shown: list[dict[str, Any]] = [{"field": field, "locked_by": owner} for field, owner in lines[:_MOST_LINES]]
    call.read(ACTION, "policy", enforced=shown, count=len(lines))
    return True


async def send(call: Call, policy: EffectivePolicy, findings: Iterable[Finding] = ()) -> None:
    """``note`` for what is only known once the answer has begun, or where there will be none: sent by itself. A store
    that is away loses the note, never the answer."""
    told = Call(call.request_id, call.surface, principal=call.principal)
    if note(told, policy, findings):
        try:
            await gate.note_reads(told)
        except Unavailable:
            log.warning("enforcement.not_noted", request_id=ids.public("req", call.request_id))


def _lines(policy: EffectivePolicy, findings: Iterable[Finding]) -> tuple[tuple[str, str], ...]:
    """(field, who locked it), sorted, each once. A guardrail is enforced where it found something, not before."""
    held = {
        (line.field, line.locked_by)
        for line in policy.enforced()
        if line.locked_by and not line.field.startswith("guardrails.")
    }
    acted = {
        (str(finding.line["field"]), finding.locked_by)
        for finding in findings
        if finding.acted and finding.locked_by is not None
    }
    return tuple(sorted(held | acted))


def _is_due(seen: _Seen) -> bool:
    minute = int(clock.now().timestamp()) // 60
    if _seen.get(seen) == minute:
        return False
    if len(_seen) >= _MOST_SEEN:
        _seen.clear()
    _seen[seen] = minute
    return True
