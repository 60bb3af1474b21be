"""From the usage stream to an organization's own schema: decision records to ``requests``, reads and refusals to
``audit``."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import structlog
from django.db import ProgrammingError

from gateway.core import ids
from gateway.core.journal import Actor
from gateway.platform.audit import services as audit
from gateway.platform.audit.types import NotedEntry
from gateway.platform.requests import services as requests
from gateway.platform.requests.types import RecordKind, RequestRecord
from tenants import selectors
from tenants.context import public_scope, scope
from tenants.types import OrgRef

log = structlog.get_logger(__name__)
_READ_FACTS = ("memories", "count", "filter", "enforced")
# What becomes a decision record: settled calls, and refusals that were kept one by one.
_RECORDED = ("request", "refused")


def write(org_id: UUID, records: list[dict[str, Any]]) -> None:
    """Write one organization's batch; writing it twice is the same as once."""
    try:
        with scope(_ref(org_id)):
            requests.write_records(_request(one) for one in records if one["kind"] in _RECORDED and _is_whole(one))
            audit.write_noted(_noted(one) for one in records if one["kind"] in ("read", "refusal"))
    except (LookupError, ProgrammingError):
        if not _is_deleted(org_id):
            raise
        # Its schema is gone, and with it whoever could have read this. What it cost is in the ledger.
        log.info("trail.organization_deleted", organization=ids.public("org", org_id), records=len(records))


def _is_deleted(org_id: UUID) -> bool:
    with public_scope():
        organization = selectors.organization(org_id)
    return organization is None or organization.state == "deleting"


@lru_cache(maxsize=4096)
def _ref(org_id: UUID) -> OrgRef:
    with public_scope():
        organization = selectors.organization(org_id)
    if organization is None:
        raise LookupError(f"there is no organization {org_id}")
    return organization.ref


def _is_whole(one: dict[str, Any]) -> bool:
    """Not one of the attempts before the last: those have a line in the ledger, the record is the request's."""
    return bool(one.get("record")) or one.get("state") != "settled"


def _request(one: dict[str, Any]) -> RequestRecord:
    request_id = UUID(one["request_id"])
    refused = one["kind"] == "refused"
    return RequestRecord(
        request_id=request_id,
        occurred_at=ids.created_at(request_id),
        surface=one["surface"],
        status=one["status"],
        state="refused" if refused else one["state"],
        record=one.get("record") or {},
        key_id=_key(one),
        persona_id=one.get("persona_id"),
        subject_id=one.get("subject_id"),
        model=one.get("model"),
        kind=RecordKind.REFUSAL if refused else RecordKind.REQUEST,
        user_id=ids.public("usr", UUID(one["user_id"])) if one.get("user_id") else None,
        provider=one.get("provider"),
        outcome=one.get("outcome"),
        latency_ms=one.get("latency_ms"),
        charged_micros=one.get("charged_micros"),
        cached=_is_cached(one),
        parent_id=UUID(one["parent_id"]) if one.get("parent_id") else None,
    )


def _is_cached(one: dict[str, Any]) -> bool:
    """Whether the response cache answered; of a model that costs nothing it saved nothing, but says so."""
    decisions = (one.get("record") or {}).get("decisions")
    lines = decisions if isinstance(decisions, list) else []
    return bool(one.get("saved_micros")) or any(line.get("stage") == "cache" and line.get("hit") for line in lines)


def _noted(one: dict[str, Any]) -> NotedEntry:
    actor, who = _actor(one)
    if one["kind"] == "refusal":
        detail = {"reason": one["reason"], "surface": one["surface"], "count": one["count"]}
        at = datetime.fromtimestamp(one["minute"] * 60, UTC)
        return NotedEntry(_stable_id(one["stream_id"], at), at, "request.refused", actor, who, detail=detail)
    return NotedEntry(
        id=UUID(one["id"]),
        occurred_at=datetime.fromtimestamp(one["at_ms"] / 1000, UTC),
        action=one["action"],
        actor=actor,
        target=one["target"],
        subject_id=one.get("subject_id"),
        persona_id=one.get("persona_id"),
        request_id=UUID(one["request_id"]) if one.get("request_id") else None,
        detail={name: one[name] for name in _READ_FACTS if name in one},
    )


def _key(one: dict[str, Any]) -> str | None:
    return ids.public("key", UUID(one["key_id"])) if one.get("key_id") else None


def _actor(one: dict[str, Any]) -> tuple[Actor, str]:
    """Who called, and their public id (empty where nobody is known)."""
    if key := _key(one):
        return Actor("key", key), key
    if one.get("user_id"):
        person = ids.public("usr", UUID(one["user_id"]))
        return Actor("user", person), person
    return Actor("system", "gateway"), ""


def _stable_id(stream_id: str, at: datetime) -> UUID:
    """A UUIDv7 that is the same each time this stream entry is read."""
    random = int.from_bytes(hashlib.sha256(stream_id.encode()).digest()[:10], "big")
    return ids.uuid7_at(int(at.timestamp() * 1000), random)
