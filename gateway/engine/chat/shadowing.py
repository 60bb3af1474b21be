"""What overlays in shadow would have decided otherwise about a live call: noted beside its decisions, never among them,
so that nothing that is answered, sent or refused tells of it.

Where none speaks of the call nothing is computed. Nothing is read beyond what the call itself reads, and no model is
asked. What goes wrong here is logged and costs the note alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import structlog

from gateway.core import ids
from gateway.core.endpoint import Call
from gateway.core.errors import GatewayError
from gateway.engine import routing
from gateway.engine.chat.guarding import texts_of
from gateway.engine.chat.types import ChatRequest
from gateway.engine.evaluation import verdicts
from gateway.engine.evaluation.verdicts import Routed
from gateway.engine.routing import Plan
from gateway.governance.policies import shadows
from gateway.governance.policies.shadows import Shadow
from gateway.governance.policies.types import EffectivePolicy, Overlay

log = structlog.get_logger(__name__)
# A decision record has room for so much of one decision.
_MOST_BYTES = 1_024


async def planned(call: Call, model: str, *, needs: frozenset[str] = frozenset()) -> tuple[Plan, str | None]:
    """``routing.plan``, and the model that the call would go to instead (None: to the same, or to none). For a call
    that ends here, and one to a bare model, this is all that overlays decide. Raises what ``routing.plan`` does."""
    shadow = await routing.shadow(call.principal)
    if shadow is None:
        return await _plan(call, model, needs), None
    would = await _would(call, model, needs, shadow)
    try:
        plan = await _plan(call, model, needs)
    except GatewayError as error:
        _note(call, shadow.overlays, _refused(error), would)
        raise
    _note(call, shadow.overlays, Routed(None, None, plan.first.name), would)
    return plan, would.model if would is not None and would.model != plan.first.name else None


def turned(
    call: Call,
    request: ChatRequest,
    policy: EffectivePolicy,
    overlays: Sequence[Overlay],
    bound_with: Mapping[str, Any],
    *,
    instead: str | None,
) -> None:
    """Note what would be decided about a persona's turn. ``bound_with`` is what ``policy`` was merged of besides the
    overlays; ``instead`` is ``planned``'s. Never raises."""
    try:
        shadow = shadows.of(overlays, **bound_with)
        if shadow is None:
            return
        before, after = verdicts.both(
            policy,
            shadow.policy,
            models=(request.model, instead or request.model),
            tools=[tool["function"]["name"] for tool in request.tools],
            texts=texts_of(request),
        )
        _note(call, shadow.overlays, before, after)
    except Exception:  # the answer must not depend on what only watches it
        log.exception("shadow.not_compared", request_id=ids.public("req", call.request_id))


async def _plan(call: Call, model: str, needs: frozenset[str], policy: EffectivePolicy | None = None) -> Plan:
    principal = call.principal
    return await routing.plan(
        principal.organization, model, principal=principal, request_id=call.request_id, needs=needs, policy=policy
    )


async def _would(call: Call, model: str, needs: frozenset[str], shadow: Shadow) -> Routed | None:
    """Where the call would go; None where that cannot be told."""
    try:
        plan = await _plan(call, model, needs, shadow.policy)
    except GatewayError as error:
        return _refused(error)
    except Exception:  # as above
        log.exception("shadow.not_planned", request_id=ids.public("req", call.request_id))
        return None
    return Routed(None, None, plan.first.name)


def _refused(error: GatewayError) -> Routed:
    line = error.extra.get("policy")
    return Routed(error.code, line["field"] if isinstance(line, Mapping) else None, None)


def _note(call: Call, overlays: Sequence[Overlay], before: Routed, after: Routed | None) -> None:
    if after is None:
        return
    call.shadow = {
        "overlays": [{"name": one.name, "version": one.version} for one in overlays],
        "refused_before": before.refused,
        "refused_after": after.refused,
        "changes": {name: _shown(**change) for name, change in before.changes(after).items()},
    }


def _shown(before: Any, after: Any) -> dict[str, Any]:
    """Both, or of long lists what is not in both, or how long that is."""
    whole = {"before": before, "after": after}
    if (size := _size(whole)) <= _MOST_BYTES:
        return whole
    if isinstance(before, tuple) and isinstance(after, tuple):
        told = {
            "removed": [one for one in before if one not in after],
            "added": [one for one in after if one not in before],
        }
        if _size(told) <= _MOST_BYTES:
            return told
    return {"truncated": size}


def _size(value: Any) -> int:
    return len(msgspec.json.encode(value))
