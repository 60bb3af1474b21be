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
from gateway.engine.chat.guarding import read
from gateway.engine.chat.types import ChatRequest
from gateway.engine.evaluation import verdicts
from gateway.engine.evaluation.verdicts import Routed
from gateway.engine.routing import Passing, Plan, Shadowed
from gateway.governance.policies import shadows
from gateway.governance.policies.types import EffectivePolicy, Overlay

log = structlog.get_logger(__name__)
# A decision record has room for so much of one decision.
_MOST_BYTES = 1_024


async def planned(
    call: Call, model: str, *, needs: frozenset[str] = frozenset(), passing: Passing | None = None
) -> tuple[Plan, tuple[str, ...]]:
    """``routing.permitted``, and the models that the call might go to instead (none: to the same, or to none). For a
    call that ends here, and one to a bare model (``passing``), this is all that overlays decide. Raises what that
    does."""
    principal, request_id = call.principal, call.request_id
    shadow = await routing.shadow(principal)
    if shadow is None:
        return await routing.permitted(principal, model, passing, request_id=request_id, needs=needs), ()
    would, targets = await _would(call, model, needs, passing, shadow)
    try:
        plan = await routing.permitted(principal, model, passing, request_id=request_id, needs=needs)
    except GatewayError as error:
        _note(call, shadow.overlays, verdicts.refused(error), would)
        raise
    _note(call, shadow.overlays, Routed(None, None, plan.first.name), would)
    return plan, targets


def turned(
    call: Call,
    request: ChatRequest,
    policy: EffectivePolicy,
    overlays: Sequence[Overlay],
    bound_with: Mapping[str, Any],
    *,
    instead: tuple[str, ...],
) -> None:
    """Note what would be decided about a persona's turn. ``bound_with`` is what ``policy`` was merged of besides the
    overlays; ``instead`` is ``planned``'s. Never raises."""
    try:
        shadow = shadows.of(overlays, **bound_with)
        if shadow is None:
            return
        texts, names = read(request)
        before, after = verdicts.both(
            policy,
            shadow.policy,
            targets=(targets := request.targets or (request.model,), instead or targets),
            tools=[tool["function"]["name"] for tool in request.tools],
            texts=texts,
            names=names,
        )
        _note(call, shadow.overlays, before, after)
    except Exception:  # the answer must not depend on what only watches it
        log.exception("shadow.not_compared", request_id=ids.public("req", call.request_id))


async def _would(
    call: Call, model: str, needs: frozenset[str], passing: Passing | None, shadow: Shadowed
) -> tuple[Routed | None, tuple[str, ...]]:
    """Where the call would go (None where that cannot be told), and all that it might go to."""
    try:
        plan = await routing.permitted(
            call.principal, model, passing, request_id=call.request_id, needs=needs, bound=shadow.bound
        )
    except GatewayError as error:
        return verdicts.refused(error), ()
    except Exception:  # as above
        log.exception("shadow.not_planned", request_id=ids.public("req", call.request_id))
        return None, ()
    return Routed(None, None, plan.first.name), plan.names


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
