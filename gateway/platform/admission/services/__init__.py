"""Letting a request in, closing its account, and the trail of what was not let in."""

from __future__ import annotations

from gateway.platform.admission.leases import keeper, renew
from gateway.platform.admission.replay import replayer
from gateway.platform.admission.selectors import lookup
from gateway.platform.admission.services.admit import admit, look
from gateway.platform.admission.services.memory import MemoryCount, count_memory
from gateway.platform.admission.services.note import last_tried, note, tried
from gateway.platform.admission.services.reap import Reaped, reap
from gateway.platform.admission.services.settle import settle

__all__ = [
    "MemoryCount",
    "Reaped",
    "admit",
    "count_memory",
    "keeper",
    "last_tried",
    "look",
    "lookup",
    "note",
    "reap",
    "renew",
    "replayer",
    "settle",
    "tried",
]
