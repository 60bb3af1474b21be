"""Every event the gateway emits: its name and version, and the JSON Schema of its payload.

The envelope (id, type, version, created_at, subject_id, persona_id) is the same for all and is not part of the
payload. Within a version a payload may only gain optional fields.
"""

from __future__ import annotations

from typing import Any

from jsonschema import Draft202012Validator

from gateway.core.journal import Event
from gateway.platform.events.errors import EventContractError

Schema = dict[str, Any]
_TEXT: Schema = {"type": "string"}
_MAYBE_TEXT: Schema = {"type": ["string", "null"]}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_MAYBE_COUNT: Schema = {"type": ["integer", "null"], "minimum": 0}


def _id(prefix: str) -> Schema:
    return {"type": "string", "pattern": f"^{prefix}_[0-9a-hjkmnp-tv-z]{{26}}$"}


def _payload(required: dict[str, Schema], optional: dict[str, Schema] | None = None) -> Schema:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
        "additionalProperties": False,
    }


_PROPOSAL = _payload(
    {
        "type": _TEXT,
        "payload": {"type": "object"},
        "provenance": _payload({"from": _TEXT, "confidence": {"type": "number", "minimum": 0, "maximum": 1}}),
    },
    {"memory_scope": _MAYBE_TEXT},
)
_ABOUT_PROPOSAL = {"proposal_id": _id("prop"), "proposal": _PROPOSAL}
_DECISION = {"decided_by": _TEXT, "comment": _MAYBE_TEXT}
_MEMORY = {"memory_id": _id("mem")}
_BOUNDARY = {"boundary_id": _id("bnd"), "kind": {"enum": ["topic", "source"]}}
_PERSONA_FACTS = {"persona_version": _MAYBE_COUNT, "digest": _MAYBE_TEXT, "change": _MAYBE_TEXT}
_KEY = _payload({"key_id": _id("key")}, {"name": _MAYBE_TEXT})
_PROVIDER = _payload({"provider_id": _id("prv")}, {"name": _MAYBE_TEXT})
_PERSONA_CHANGE = _payload({}, _PERSONA_FACTS)
_ERROR = _payload({"code": _TEXT, "detail": _TEXT})

SCHEMAS: dict[tuple[str, int], Schema] = {
    ("proposal.created", 1): _payload(_ABOUT_PROPOSAL, {"expires_at": _MAYBE_TEXT}),
    ("proposal.expired", 1): _payload(_ABOUT_PROPOSAL),
    ("write.approved", 1): _payload(_ABOUT_PROPOSAL, {**_DECISION, "execute_after": _MAYBE_TEXT}),
    ("write.rejected", 1): _payload(_ABOUT_PROPOSAL, _DECISION),
    ("write.failed", 1): _payload({**_ABOUT_PROPOSAL, "error": _ERROR}),
    ("write.executed", 1): _payload(
        _ABOUT_PROPOSAL, {"result": {"type": ["object", "null"]}, "assertion_id": _MAYBE_TEXT}
    ),
    ("write.compensated", 1): _payload(
        _ABOUT_PROPOSAL, {"compensated_by": _TEXT, "comment": _MAYBE_TEXT, "result": {"type": ["object", "null"]}}
    ),
    ("memory.created", 1): _payload(
        {**_MEMORY, "memory_type": _TEXT},
        {"memory_scope": _MAYBE_TEXT, "scope": _MAYBE_TEXT, "source": _MAYBE_TEXT, "proposal_id": _MAYBE_TEXT},
    ),
    ("memory.updated", 1): _payload(_MEMORY, {"supersedes": _MAYBE_TEXT}),
    ("memory.deleted", 1): _payload(_MEMORY, {"reason": _MAYBE_TEXT}),
    ("memory.restored", 1): _payload(_MEMORY),
    ("consent.updated", 1): _payload({"source": _TEXT, "granted": {"type": "boolean"}}),
    ("boundary.created", 1): _payload(_BOUNDARY),
    ("boundary.lifted", 1): _payload(_BOUNDARY),
    ("persona.created", 1): _PERSONA_CHANGE,
    ("persona.updated", 1): _PERSONA_CHANGE,
    ("persona.published", 1): _PERSONA_CHANGE,
    ("relationship.changed", 1): _payload({"stage": _TEXT}, {"locked": {"type": "boolean"}}),
    ("policy.updated", 1): _payload({"policy_id": _TEXT}, {"level": _MAYBE_TEXT, "policy_version": _MAYBE_COUNT}),
    ("policy.shadow_updated", 1): _payload(
        {"policy_id": _TEXT, "deleted": {"type": "boolean"}, "promoted": {"type": "boolean"}},
        {"level": _MAYBE_TEXT, "policy_version": _MAYBE_COUNT},
    ),
    ("subject.created", 1): _payload({}),
    ("subject.updated", 1): _payload({"changed": {"type": "array", "items": _TEXT}}),
    ("subject.erased", 1): _payload({}, {"receipt_id": _MAYBE_TEXT}),
    ("key.created", 1): _KEY,
    ("key.rotated", 1): _KEY,
    ("key.revoked", 1): _KEY,
    ("provider.created", 1): _PROVIDER,
    ("provider.updated", 1): _PROVIDER,
    ("provider.enabled", 1): _PROVIDER,
    ("provider.disabled", 1): _PROVIDER,
    ("provider.rotated", 1): _PROVIDER,
    ("provider.deleted", 1): _PROVIDER,
    ("ingestion.error", 1): _payload({"source": _TEXT, "code": _TEXT, "detail": _TEXT}, {"ref": _MAYBE_TEXT}),
    ("persona.drifted", 1): _payload(
        {
            "run_id": _id("crun"),
            "persona_version": _COUNT,
            "drift_percent": {"type": "number"},
            "tolerance_percent": _COUNT,
        }
    ),
    ("plan.changed", 1): _payload({"from": _TEXT, "to": _TEXT}),
    ("usage.threshold_reached", 1): _payload(
        {
            "what": {"enum": ["calls", "memory_operations", "budget"]},
            "level": {"enum": ["organization", "key", "user", "subject"]},
            "threshold": {"enum": [80, 100]},
            "window": _TEXT,
            "limit": _COUNT,
            "used": _COUNT,
            "unit": {"enum": ["calls", "memory_operations", "micros"]},
        },
        {"rule_id": _TEXT, "key_id": _id("key"), "user_id": _id("usr")},
    ),
    ("operation.finished", 1): _payload({"operation_id": _id("op"), "kind": _TEXT, "state": _TEXT}),
}
_VALIDATORS = {key: Draft202012Validator(schema) for key, schema in SCHEMAS.items()}


def check(event: Event) -> None:
    """Raise EventContractError unless the event is one of the catalogue's and its payload fits."""
    validator = _VALIDATORS.get((event.name, event.version))
    if validator is None:
        raise EventContractError(
            f"{event.name} version {event.version} is not in gateway/platform/events/catalogue.py."
        )
    for problem in validator.iter_errors(event.payload):
        where = "/".join(str(part) for part in problem.absolute_path)
        raise EventContractError(f"{event.name} version {event.version}, payload/{where}: {problem.message}")
