"""Metric families as plain values, which can travel between processes, and their text for Prometheus."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Sample = tuple[str, dict[str, str], float]


@dataclass(frozen=True, slots=True)
class Family:
    """One metric: ``kind`` is counter, gauge or histogram; a sample is (suffix, labels, value)."""

    name: str
    kind: str
    about: str
    samples: list[Sample]

    def plain(self) -> list[Any]:
        """As JSON holds it."""
        return [self.name, self.kind, self.about, self.samples]


def from_plain(stored: Iterable[Any]) -> list[Family]:
    """Families from their JSON."""
    return [
        Family(name, kind, about, [(suffix, labels, number) for suffix, labels, number in samples])
        for name, kind, about, samples in stored
    ]


def exposition(by_process: Mapping[str, Iterable[Family]]) -> bytes:
    """The text of all processes' families, each sample labelled with its process. ``prometheus_client`` is loaded
    here: only who is scraped pays for it."""
    from prometheus_client import CollectorRegistry, Metric, generate_latest  # noqa: PLC0415 - see above
    from prometheus_client.registry import Collector  # noqa: PLC0415 - see above

    merged: dict[str, Metric] = {}
    for process, families in by_process.items():
        for family in families:
            metric = merged.setdefault(family.name, Metric(family.name, family.about, family.kind))
            for suffix, labels, number in family.samples:
                metric.add_sample(family.name + suffix, {**labels, "process": process}, number)

    class Once(Collector):
        def collect(self) -> Iterable[Metric]:
            return merged.values()

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Once())
    return generate_latest(registry)
