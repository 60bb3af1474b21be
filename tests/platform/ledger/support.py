"""Ledger lines for tests: what admission would have sent, decoded as the writer gets it."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from gateway.core import ids
from gateway.platform.ledger import lines, writer
from gateway.platform.ledger.lines import Arrival
from tests.platform.support import ACME, KEY


def request_id_at(moment: datetime) -> UUID:
    """A UUIDv7 of that moment."""
    low = ids.uuid7().int & (2**80 - 1)
    return UUID(int=int(moment.timestamp() * 1000) << 80 | low)


def arrival(org_id: UUID = ACME, request_id: UUID | None = None, *, late: bool = False, **changes: Any) -> Arrival:
    """A settled attempt of ordinary width, 12 micro-dollars."""
    data = {
        "org_id": str(org_id),
        "request_id": str(request_id or ids.uuid7()),
        "key_id": str(KEY),
        "surface": "v1",
        "model": "openai/gpt-5-mini-2026-01-01",
        "provider": "openai",
        "persona_id": "customer-support-sage",
        "subject_id": str(ids.uuid7()),
        "status": 200,
        "outcome": "ok",
        "calls": 1,
        "prompt_tokens": 1000,
        "completion_tokens": 200,
        "provider_cost_micros": 10,
        "markup_micros": 2,
        "charged_micros": 12,
        "price_version": "2026-09-01",
        "latency_ms": 900,
        "ttft_ms": 200,
        **changes,
    }
    return lines.decode("00-1-0", {b"kind": b"late" if late else b"settled", b"data": json.dumps(data).encode()})


def estimated(org_id: UUID, request_id: UUID, *, micros: int, **facts: Any) -> Arrival:
    """What becomes of a lease whose worker died."""
    data = {"org_id": str(org_id), "request_id": str(request_id), "key_id": str(KEY), "surface": "v1", **facts}
    fields = {b"estimate": b"%d" % micros, b"opened": b"1000", b"reaped": b"61000", b"calls": b"1"}
    return lines.decode("00-1-0", {b"kind": b"estimated", b"data": json.dumps(data).encode(), **fields})


def memory(org_id: UUID, request_id: UUID, *, operations: int, overage_micros: int, **facts: Any) -> Arrival:
    """The memory operations of one request."""
    data = {
        "org_id": str(org_id),
        "request_id": str(request_id),
        "key_id": str(KEY),
        "operations": operations,
        "overage_micros": overage_micros,
        **facts,
    }
    return lines.decode("00-1-0", {b"kind": b"memory", b"data": json.dumps(data).encode()})


def put(databases: Any, *arrivals: Arrival) -> None:
    """Write them as the batch role, for good."""
    with transaction.atomic(using="batch"):
        assert writer.write(databases["batch"], arrivals) == []


def as_org(databases: Any, org_id: UUID | None) -> None:
    """Read on as this organization's request role."""
    with databases["default"].cursor() as cursor:
        cursor.execute("SELECT set_config('app.org_id', %s, false)", [str(org_id or "")])


def ask(connection: Any, sql: str, *args: Any) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql, args)
        return list(cursor.fetchall())
