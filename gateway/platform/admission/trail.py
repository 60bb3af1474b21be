"""The trail of calls that leave no ledger entry: reads, refusals, and the last call that did not work."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from gateway.core import clock
from gateway.core.endpoint import Call
from gateway.core.errors import GatewayError, Unavailable
from gateway.platform.admission import services
from gateway.platform.admission.process import store
from gateway.platform.admission.types import Note, Tried
from tenants.types import Principal


async def note_reads(call: Call) -> None:
    """Send the call's reads of memory and content to the audit, by way of the usage stream."""
    principal: Principal = call.principal
    for read in call.reads:
        data = {**read, "actor": str(principal.actor), "request_id": str(call.request_id)}
        await services.note(store(), _note(principal, "read", surface=call.surface, data=data))


async def note_refusal(call: Call, error: GatewayError, *, of: Principal | None = None) -> None:
    """Count a refusal of a known caller (``of`` where the call has none); written once per caller, reason and minute. A
    store that is away loses no more than the count."""
    principal: Principal | None = of or call.principal
    if principal is None or error.http_status >= 500:
        return
    try:
        await services.note(store(), _note(principal, "refusal", surface=call.surface, reason=error.code))
    except Unavailable:
        call.decided("trail", "degraded", code="store_unavailable")


def _note(principal: Principal, kind: str, **facts: Any) -> Note:
    key_id = principal.key_id
    return Note(principal.ref.id, kind, key_id, **facts, user_id=None if key_id else principal.user_id)


async def note_failed_call(call: Call, error: GatewayError, *, of: Principal | None = None) -> None:
    """Remember the last call of an organization that did not work, for whoever waits for its first that does."""
    principal: Principal | None = of or call.principal
    if principal is None:
        return
    tried = Tried(call.request_id, error.http_status, error.code, error.detail[:500], clock.micros() // 1000)
    try:
        await services.tried(store(), principal.ref.id, tried)
    except Unavailable:
        call.decided("trail", "degraded", code="store_unavailable")


async def last_failed_call(org_id: UUID) -> Tried | None:
    """The last call that did not work, None when there was none for a week."""
    return await services.last_tried(store(), org_id)
