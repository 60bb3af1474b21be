"""Refused before any work began: the line that says which step refused, and a record to look it up by.

Every refusal of a known caller is counted (``gate.note_refusal``). The first few of a minute are kept one by one as
well, with their decisions, so that the request id in a refusal leads somewhere; a flood is not, because writing it down
would make refusing dearer than answering.
"""

from __future__ import annotations

from uuid import UUID

import structlog

from gateway.core import clock, ids
from gateway.core.endpoint import Call, Endpoint, Metering
from gateway.core.errors import GatewayError, Unavailable
from gateway.engine.chat import enforcement
from gateway.platform.admission import entries, gate, services
from gateway.platform.admission.types import Note
from tenants.types import Principal

log = structlog.get_logger(__name__)
KIND = "refused"
# Of one organization, in one minute, by one worker.
KEPT_A_MINUTE = 60

_STAGES = {
    "scope_missing": "scope",
    "organization_required": "scope",
    "user_token_required": "scope",
    "feature_disabled": "flag",
    "plan_required": "flag",
    "policy_refused": "policy",
    "org_suspended": "auth",
    "provider_disabled": "route",
    "token_not_allowed": "auth",
    "sso_required": "auth",
}
_BY_STATUS = {400: "input", 401: "auth", 402: "limits", 403: "grant", 404: "input", 413: "input", 422: "input",
              429: "limits"}  # fmt: skip
# organization → (minute, how many were kept in it); one small entry per organization that was refused lately.
_kept: dict[UUID, tuple[int, int]] = {}


def stage_of(error: GatewayError) -> str:
    """Which step an error that refuses comes from."""
    return _STAGES.get(error.code) or _BY_STATUS.get(error.http_status, "gate")


def mark(call: Call, error: Exception) -> None:
    """Give the decision record the line that refused, unless the step that did has written it itself."""
    if not isinstance(error, GatewayError) or error.http_status >= 500:
        return
    if not any(line["verdict"] == "refused" for line in call.decisions):
        call.decided(stage_of(error), "refused", code=error.code, **enforcement.why(error))


async def keep(call: Call, error: GatewayError, *, of: Principal | None = None) -> None:
    """Send the refusal's record on its way, if this minute still has room for one. Never fails: the refusal stands by
    itself."""
    principal: Principal | None = of or call.principal
    if principal is None or error.http_status >= 500 or not _has_room(principal.ref.id):
        return
    shadow = {"shadow": call.shadow} if call.shadow is not None else {}
    record = entries.bounded({"decisions": call.decisions, "surface": call.surface, **shadow})
    data = {
        "request_id": str(call.request_id),
        "status": error.http_status,
        "outcome": error.code[:64],
        "record": record,
    }
    key_id = principal.key_id
    user_id = None if key_id else principal.user_id
    note = Note(principal.ref.id, KIND, key_id, surface=call.surface, data=data, user_id=user_id)
    try:
        await services.note(gate.store(), note)
    except Unavailable:
        log.warning("refusal.not_kept", request_id=ids.public("req", call.request_id), code=error.code)


def is_before_work(call: Call, endpoint: Endpoint) -> bool:
    """Whether a failed call ended before a lease was opened for it, so that no settlement will tell of it."""
    return endpoint.metering is Metering.CALL and getattr(call.admission, "lease", None) is None


def _has_room(org_id: UUID) -> bool:
    minute = int(clock.now().timestamp()) // 60
    known, count = _kept.get(org_id, (minute, 0))
    if known != minute:
        if len(_kept) > 10_000:
            _kept.clear()
        count = 0
    _kept[org_id] = minute, count + 1
    return count < KEPT_A_MINUTE
