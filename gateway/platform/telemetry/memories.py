"""What a web process counts of memory: writes by what became of them, changes by their kind, recalls by how they were
answered. Labels are the code's own words; subjects and organizations are never among them."""

from __future__ import annotations

from collections import Counter

from gateway.platform.telemetry.families import Family
from gateway.platform.telemetry.metrics import Histogram


class MemoryCounters:
    """The counters of one process. All counting happens on the event loop, so nothing is locked."""

    def __init__(self) -> None:
        self.writes: Counter[str] = Counter()
        self.changes: Counter[str] = Counter()
        self.recalls: Counter[str] = Counter()
        self.found = 0
        self.seconds = Histogram()

    def written(self, outcome: str, count: int = 1) -> None:
        """``stored``, ``corroborated``, ``proposed`` or ``refused``."""
        self.writes[outcome] += count

    def changed(self, kind: str) -> None:
        """``correct``, ``forget``, ``restore``, ``silence``, …"""
        self.changes[kind] += 1

    def recalled(self, *, memories: int, cache_hit: bool, degraded: bool, seconds: float | None = None) -> None:
        """A recall was answered: from the cache, without its dense part (``degraded``), or in full."""
        self.recalls["cached" if cache_hit else "degraded" if degraded else "full"] += 1
        self.found += memories
        if seconds is not None:
            self.seconds.add(seconds)

    def families(self) -> list[Family]:
        """Everything counted so far."""
        return [
            _counter("ikiro_memory_writes", "Memories written, by what became of them.", "outcome", self.writes),
            _counter("ikiro_memory_changes", "Memories changed, by how.", "change", self.changes),
            _counter("ikiro_memory_recalls", "Recalls, by how they were answered.", "answer", self.recalls),
            Family("ikiro_memory_recalled", "counter", "What recalls found.", [("_total", {}, float(self.found))]),
            Family(
                "ikiro_memory_recall_seconds",
                "histogram",
                "Seconds of a recall by itself, the query's embedding included.",
                self.seconds.samples(),
            ),
        ]


def _counter(name: str, about: str, label: str, counted: Counter[str]) -> Family:
    samples = [("_total", {label: key}, float(count)) for key, count in sorted(counted.items())]
    return Family(name, "counter", about, samples)


memories = MemoryCounters()
