"""One side of an overlay as it is stored and shown: only the fields it speaks of. Pure."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from gateway.governance.policies.guardrails import documents as guardrails
from gateway.governance.policies.terms import Approval, Fields, RedactMode, Retention, Writes

_LISTS = ("do", "dont", "disclaimers", "denied_models", "denied_tools")
_MAYBE_LISTS = ("memory_scopes", "allowed_models", "allowed_tools", "write_targets")


def to_json(fields: Fields) -> dict[str, Any]:
    """Plain JSON without what was left unsaid."""
    writes = {
        "approval": fields.writes.approval.value if fields.writes.approval else None,
        "auto_types": list(fields.writes.auto_types) if fields.writes.auto_types is not None else None,
        "min_confidence": fields.writes.min_confidence,
    }
    values: dict[str, Any] = {name: list(getattr(fields, name)) or None for name in _LISTS}
    for name in _MAYBE_LISTS:
        said = getattr(fields, name)
        values[name] = list(said) if said is not None else None
    values["redact_mode"] = fields.redact_mode.value if fields.redact_mode else None
    values["max_output_tokens"] = fields.max_output_tokens
    values["writes"] = _said(writes)
    values["retention"] = _said(asdict(fields.retention))
    values["guardrails"] = guardrails.to_json(fields.guardrails) or None
    return _said(values) or {}


def from_json(values: dict[str, Any]) -> Fields:
    """The fields of a stored or checked document; what it leaves out says nothing."""
    writes = values.get("writes") or {}
    lists = {name: tuple(values.get(name) or ()) for name in _LISTS}
    for name in _MAYBE_LISTS:
        lists[name] = tuple(values[name]) if values.get(name) is not None else None  # type: ignore[assignment]
    auto_types = writes.get("auto_types")
    return Fields(
        **lists,
        redact_mode=RedactMode(values["redact_mode"]) if values.get("redact_mode") else None,
        max_output_tokens=values.get("max_output_tokens"),
        writes=Writes(
            approval=Approval(writes["approval"]) if writes.get("approval") else None,
            auto_types=tuple(auto_types) if auto_types is not None else None,
            min_confidence=writes.get("min_confidence"),
        ),
        retention=Retention(**(values.get("retention") or {})),
        guardrails=guardrails.from_json(values.get("guardrails")),
    )


def _said(values: dict[str, Any]) -> dict[str, Any] | None:
    return {name: value for name, value in values.items() if value is not None} or None
