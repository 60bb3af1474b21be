"""Locks that bound a request leave an entry in the audit, as the lock itself did when it was set.

Each line says how it held: ``told`` is a sentence that the model was given and may still not follow (``do``, ``dont``,
``disclaimers``), ``enforced`` is what the gateway saw to itself, ``refused`` is why there was no answer.

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
from gateway.core.errors import GatewayError, Unavailable
from gateway.governance.policies.guards import Finding
from gateway.governance.policies.types import EffectivePolicy
from gateway.platform.admission import gate
from tenants.types import Principal

log = structlog.get_logger(__name__)
ACTION = "policy.enforced"
_MOST_LINES = 50
_MOST_SEEN = 10_000
_TOLD = frozenset({"do", "dont", "disclaimers"})
_WHY = ("policy", "guardrail", "finding")
_Line = tuple[str, str, str]  # the field, who locked it, how it held
_Seen = tuple[UUID, str, tuple[_Line, ...]]
# What was noted lately, by its minute; all of it is let go of when it is too many.
_seen: dict[_Seen, int] = {}


def note(
    call: Call,
    policy: EffectivePolicy,
    findings: Iterable[Finding] = (),
    *,
    subject_id: str | None = None,
    persona_id: str | None = None,
) -> bool:
    """Note the locks that bound this call, and the locked guardrails that acted; whether anything was noted. Values
    and sentences are not kept: the entry of the lock itself has them."""
    return _note(call, _lines(policy, findings), subject_id=subject_id, persona_id=persona_id)


async def send(
    call: Call,
    policy: EffectivePolicy,
    findings: Iterable[Finding],
    *,
    subject_id: str | None = None,
    persona_id: str | None = None,
) -> None:
    """``note`` for what is only known once the answer has begun: sent by itself. A store that is away loses the note,
    never the answer."""
    await _send(call, _lines(policy, findings), subject_id=subject_id, persona_id=persona_id)


async def refused(
    call: Call, error: Exception, *, subject_id: str | None = None, persona_id: str | None = None
) -> None:
    """Note the locked line that refused this call, if one did: sent by itself, as nothing else will be."""
    line = why(error).get("policy")
    if line is not None and line["locked_by"]:
        lines = ((str(line["field"]), str(line["locked_by"]), "refused"),)
        await _send(call, lines, subject_id=subject_id, persona_id=persona_id)


def why(error: Exception) -> dict[str, Any]:
    """What an error knows of the policy that refused: its line, and of a guardrail its name and what it found, without
    the content. Empty for every other error."""
    extra = error.extra if isinstance(error, GatewayError) else {}
    return {name: extra[name] for name in _WHY if name in extra} if "policy" in extra else {}


async def _send(call: Call, lines: tuple[_Line, ...], **whose: str | None) -> None:
    told = Call(call.request_id, call.surface, principal=call.principal)
    if _note(told, lines, **whose):
        try:
            await gate.note_reads(told)
        except Unavailable:
            log.warning("enforcement.not_noted", request_id=ids.public("req", call.request_id))


def _note(call: Call, lines: tuple[_Line, ...], **whose: str | None) -> bool:
    principal: Principal = call.principal
    if not lines or not _is_due((principal.ref.id, str(principal.actor), lines)):
        return False
    shown = [{"field": field, "locked_by": owner, "how": how} for field, owner, how in lines[:_MOST_LINES]]
    call.read(ACTION, "policy", enforced=shown, count=len(lines), **whose)
    return True


def _lines(policy: EffectivePolicy, findings: Iterable[Finding]) -> tuple[_Line, ...]:
    """Sorted, each once. A guardrail is enforced where it found something, not before."""
    held = {
        (line.field, line.locked_by, "told" if line.field in _TOLD else "enforced")
        for line in policy.enforced()
        if line.locked_by and not line.field.startswith("guardrails.")
    }
    acted = {
        (str(finding.line["field"]), finding.locked_by, "enforced")
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
