"""The one byte string of an entry's content, the same before it is stored and after it is read back, and the hashes
over
it.

The database may change how a number is spelled (``1e22`` becomes an integer, ``-0.0`` becomes 0), so numbers are
hashed by value; values are made plain (``gateway.core.plain``) *before* they are stored. ``VERSION`` names this
recipe inside the hashed text: another recipe later gets another number and old entries stay verifiable.
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC
from decimal import Decimal
from typing import Any
from uuid import UUID

from gateway.platform.audit.types import NotedEntry

VERSION = 1


def content_hash(entry: NotedEntry) -> bytes:
    """The SHA-256 over an entry's canonical JSON. Takes what is stored, so verifying needs nothing but the row."""
    content = {
        "v": VERSION,
        "id": str(entry.id),
        "occurred_at": entry.occurred_at.astimezone(UTC).isoformat(timespec="microseconds"),
        "action": entry.action,
        "actor": {"kind": entry.actor.kind, "id": entry.actor.id},
        "target": entry.target,
        "subject_id": entry.subject_id,
        "persona_id": entry.persona_id,
        "request_id": str(entry.request_id) if entry.request_id else None,
        "provenance": _by_value(entry.provenance),
        "detail": _by_value(entry.detail),
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).digest()


def first_link(org_id: UUID) -> bytes:
    """What stands before an organization's first sealed entry."""
    return hashlib.sha256(b"ikiro.audit.v1\x00" + org_id.bytes).digest()


def next_link(prev_hash: bytes, content: bytes) -> bytes:
    """The chain hash of an entry that follows ``prev_hash``."""
    return hashlib.sha256(prev_hash + content).digest()


def _by_value(value: Any) -> Any:
    """Numbers as ``{"#": digits-and-exponent}``, so that 1.0, 1 and 1e0 hash alike; a key ``#…`` of the entry's own
    gets one more.
    """
    if isinstance(value, dict):
        return {f"#{key}" if key.startswith("#") else key: _by_value(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_by_value(item) for item in value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        sign, digits, exponent = Decimal(repr(value)).as_tuple()
        text = "".join(map(str, digits)).lstrip("0")
        shorter = text.rstrip("0")
        if not shorter:
            return {"#": "0"}
        return {"#": f"{'-' if sign else ''}{shorter}e{int(exponent) + len(text) - len(shorter)}"}
    return value
