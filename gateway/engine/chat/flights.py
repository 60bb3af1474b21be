"""A plain call under way, and what it becomes when it turns out to be anything else."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import msgspec

from gateway.engine.chat.metering import Meter
from gateway.platform.admission.prepared import Opened
from gateway.platform.providers.entries import Failed


@dataclass(slots=True)
class Begun:
    """A call that was admitted here and goes on as a usual one; ``failed`` is its first attempt."""

    meter: Meter
    failed: Failed | None = None


class Flight(msgspec.Struct):
    """One such call under way. Moments are monotonic seconds; ``opened`` is there once it was admitted. Its lease is
    ``held`` by the call until it is settled or a meter takes over."""

    number: int
    request: bytes
    began: float
    prompt_bytes: int
    estimate: int
    tokens: int
    opened: Opened | None = None
    admitted: float = 0.0
    held: bool = False

    @property
    def request_id(self) -> UUID:
        return UUID(int=self.number)


def opened_by(flight: Flight) -> Opened:
    """Its admission."""
    assert flight.opened is not None  # noqa: S101 - nothing is asked, settled or handed on before it was admitted
    return flight.opened
