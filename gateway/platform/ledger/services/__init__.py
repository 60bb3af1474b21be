"""Writing the ledger from the usage streams, and putting the month's counters back after the store was emptied."""

from __future__ import annotations

from gateway.platform.ledger.partitions import drop_expired, ensure_partitions
from gateway.platform.ledger.rebuilding import rebuild, rebuild_due
from gateway.platform.ledger.services.drain import drain
from gateway.platform.ledger.services.reseed import reseed

__all__ = ["drain", "drop_expired", "ensure_partitions", "rebuild", "rebuild_due", "reseed"]
