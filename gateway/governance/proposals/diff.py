"""What a proposal would change, for the eye of whoever decides: ``{"before": …, "after": …}``."""

from __future__ import annotations

from typing import Any

from gateway.governance.proposals import registry
from gateway.governance.proposals.types import Draft


def diff_of(draft: Draft) -> dict[str, Any]:
    """The draft's own diff, else its executor's preview, else everything as new (of a text-carrying memory, just the
    text).
    """
    if draft.diff is not None:
        return draft.diff
    executor = registry.find(draft.type)
    if executor is not None and executor.diff is not None:
        return executor.diff(draft)
    return added(draft.type, draft.payload)


def added(kind: str, payload: dict[str, Any]) -> dict[str, Any]:
    """The diff of something that was not there before."""
    if kind == "memory.upsert" and isinstance(payload.get("text"), str):
        return {"before": None, "after": payload["text"]}
    return {"before": None, "after": payload}
