"""``emit``: the product events to the operator's sink. Without a sink it does nothing and costs nothing.

IKIRO_TELEMETRY_SINK is ``none``, ``log`` (a line each), or an address that takes ``POST {"batch": [event, …]}``; an
event is ``{"id", "event", "timestamp", "properties"}``. Delivery is at least once while the process lives.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import structlog
from django.conf import settings

from gateway.core import clock, egress, ids
from gateway.core.errors import UpstreamError
from gateway.platform.telemetry.catalogue import PROPERTIES
from gateway.platform.telemetry.shipping import Shipper

log = structlog.get_logger("gateway.telemetry")
_TIMEOUTS = egress.Timeouts(connect=3, first_byte=5, stall=5, total=10)
Event = dict[str, Any]
_shipper: Shipper[Event] | None = None


def configure() -> Shipper[Event] | None:
    """Open the sink of the settings for this process; the caller runs the shipper. None without a sink."""
    global _shipper
    sink = settings.IKIRO_TELEMETRY_SINK
    _shipper = None if sink == "none" else Shipper("events", _to_log if sink == "log" else _to_http)
    return _shipper


def emit(event: str, **properties: Any) -> None:
    """Send one event of the catalogue, with exactly its properties. Never raises, never waits; any thread may call it.

    What the catalogue does not name is left out, and what is missing is null: an event is no reason to fail a request.
    Tests hold every emitted event to its schema.
    """
    if _shipper is None:
        return
    known = {name: properties.get(name) for name in PROPERTIES[event]}
    _shipper.put({"id": str(ids.uuid7()), "event": event, "timestamp": clock.now().isoformat(), "properties": known})


def listening() -> bool:
    """Whether anybody takes the events: for callers that would have to work out a property first."""
    return _shipper is not None


def hashed(*parts: object) -> str:
    """A name for something that must not be told: the same each time, and of no use without this installation's
    secret."""
    digest = hashlib.blake2b(digest_size=16, key=settings.SECRET_KEY.encode()[:64])
    digest.update(repr(parts).encode())
    return digest.hexdigest()


async def _to_log(batch: Sequence[Event]) -> None:
    for event in batch:
        log.info("telemetry", name=event["event"], id=event["id"], properties=event["properties"])


async def _to_http(batch: Sequence[Event]) -> None:
    body = json.dumps({"batch": list(batch)}, default=str).encode()
    headers = {"content-type": "application/json", "user-agent": "ikiro-gateway"}
    sink = settings.IKIRO_TELEMETRY_SINK
    async with egress.open("POST", sink, headers, body, trusted=True, timeouts=_TIMEOUTS, max_body=65_536) as response:
        await response.read()
        if response.status >= 500 or response.status == 429:
            raise UpstreamError(f"The telemetry sink answers {response.status}.")
        if response.status >= 300:  # it will never take these
            log.warning("telemetry.refused", outlet="events", status=response.status, items=len(batch))
