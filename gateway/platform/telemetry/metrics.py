"""What a web process counts: plain integers, added to in place and read when somebody scrapes. No library on the way.

Labels are few and bounded by construction: operations and codes are the code's own words, providers are the vendors'
names or ``custom``. Organizations, keys, people and models are never labels; the ledger has those. All counting happens
on the event loop, so nothing is locked.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections import Counter
from typing import Any

from gateway.platform.telemetry.families import Family, Sample

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
_KNOWN = frozenset({"openai", "anthropic", "ikiro"})
_CLASSES = ("1xx", "2xx", "3xx", "4xx", "5xx")
_LAG_EVERY_S = 0.5


class Histogram:
    """Counts by upper bound, in seconds."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(SECONDS) + 1)
        self.total = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(SECONDS, seconds)] += 1
        self.total += seconds

    def samples(self, **labels: str) -> list[Sample]:
        """As Prometheus wants it: cumulative buckets, sum and count."""
        seen, found = 0, []
        for bound, count in zip((*map(str, SECONDS), "+Inf"), self.counts, strict=True):
            seen += count
            found.append(("_bucket", {**labels, "le": bound}, float(seen)))
        return [*found, ("_sum", labels, self.total), ("_count", labels, float(seen))]


class Operation:
    """One operation of a surface: how its requests ended, and how long they took to the answer's head."""

    __slots__ = ("latency", "name", "statuses", "surface")

    def __init__(self, surface: str, name: str) -> None:
        self.surface, self.name = surface, name
        self.statuses = [0] * len(_CLASSES)
        self.latency = Histogram()

    def done(self, status: int, seconds: float) -> None:
        self.statuses[status // 100 - 1] += 1
        self.latency.add(seconds)


class Answers:
    """What ``settled`` and ``attempted`` together count of a plain answer."""

    __slots__ = ("_attempts", "_charged", "_first", "_label", "_names", "_seconds", "_tokens")

    def __init__(
        self, label: str, counted: tuple[Counter[Any], Counter[Any], Counter[Any]], times: tuple[Histogram, Histogram]
    ) -> None:
        self._label = label
        self._names = (label, "prompt"), (label, "completion"), (label, "cached"), (label, "ok")
        self._tokens, self._charged, self._attempts = counted
        self._seconds, self._first = times

    def add(self, prompt: int, completion: int, cached: int, charged: int, seconds: float) -> None:
        """One answer; buffered, so its first token came with its last."""
        tokens, (of_prompt, of_completion, of_cached, ok) = self._tokens, self._names
        tokens[of_prompt] += prompt
        tokens[of_completion] += completion
        tokens[of_cached] += cached
        self._charged[self._label] += charged
        self._attempts[ok] += 1
        self._seconds.add(seconds)
        self._first.add(seconds)


class Metrics:
    """The counters of one process."""

    def __init__(self) -> None:
        self._operations: dict[tuple[str, str], Operation] = {}
        self._model_seconds: dict[str, Histogram] = {}
        self._first_token: dict[str, Histogram] = {}
        self._tokens: Counter[tuple[str, str]] = Counter()
        self._charged: Counter[str] = Counter()
        self._attempts: Counter[tuple[str, str]] = Counter()
        self._refusals: Counter[tuple[str, str]] = Counter()
        self._slowest_tick = 0.0

    def operation(self, surface: str, name: str) -> Operation:
        """The counters of one operation, for its caller to keep."""
        return self._operations.setdefault((surface, name), Operation(surface, name))

    def settled(self, provider: str, settlement: Any) -> None:
        """A model call was settled (``admission.Settlement``): its tokens, money and times."""
        label = self.charged(provider, settlement)
        _histogram(self._model_seconds, label).add(settlement.latency_ms / 1000)
        if settlement.ttft_ms is not None:
            _histogram(self._first_token, label).add(settlement.ttft_ms / 1000)

    def charged(self, provider: str, settlement: Any) -> str:
        """Tokens and money alone, as for an attempt before the one that answered; returns the provider's label."""
        label = provider if provider in _KNOWN else "custom"
        tokens = self._tokens
        tokens[label, "prompt"] += settlement.prompt_tokens
        tokens[label, "completion"] += settlement.completion_tokens
        tokens[label, "cached"] += settlement.cached_tokens
        self._charged[label] += settlement.charged_micros
        return label

    def answers(self, provider: str) -> Answers:
        """The counters of answers that a provider gave at its first attempt, for their caller to keep."""
        label = provider if provider in _KNOWN else "custom"
        seconds, first = _histogram(self._model_seconds, label), _histogram(self._first_token, label)
        return Answers(label, (self._tokens, self._charged, self._attempts), (seconds, first))

    def attempted(self, provider: str, code: str) -> None:
        """One attempt at a provider ended: ``ok``, or the code of what went wrong before its first frame."""
        self._attempts[provider if provider in _KNOWN else "custom", code] += 1

    def refused(self, code: str, level: str) -> None:
        """Admission refused a request. ``level`` is whose limit it was, where the refusal says."""
        self._refusals[code, level] += 1

    async def watch_loop(self) -> None:
        """Measure how late the event loop runs what is due: the first sign of something that blocks it."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _LAG_EVERY_S
            await asyncio.sleep(_LAG_EVERY_S)
            self._slowest_tick = max(self._slowest_tick, loop.time() - due)

    def families(self) -> list[Family]:
        """Everything counted so far. The event loop's lag is the worst since the last time somebody asked."""
        lag, self._slowest_tick = self._slowest_tick, 0.0
        operations = sorted(self._operations.values(), key=lambda one: (one.surface, one.name))
        used = [one for one in operations if any(one.statuses)]
        return [
            Family("ikiro_requests", "counter", "Requests by surface, operation and status class.", [
                ("_total", {"surface": one.surface, "operation": one.name, "status": name}, float(count))
                for one in used for name, count in zip(_CLASSES, one.statuses, strict=True) if count
            ]),
            Family("ikiro_request_seconds", "histogram", "Seconds from a request's arrival to its answer's head.", [
                sample for one in used for sample in one.latency.samples(surface=one.surface, operation=one.name)
            ]),
            _histograms("ikiro_model_call_seconds", "Seconds of a whole model call, its stream included.",
                        self._model_seconds),
            _histograms("ikiro_time_to_first_token_seconds", "Seconds to a model's first frame.", self._first_token),
            _counters("ikiro_tokens", "Tokens by provider and kind.", ("provider", "kind"), self._tokens),
            _counters("ikiro_charged_micros", "Micro-dollars charged.", ("provider",), self._charged),
            _counters("ikiro_upstream_attempts", "Calls to a provider by how they ended before the first frame.",
                      ("provider", "code"), self._attempts),
            _counters("ikiro_admission_refusals", "Requests that a limit refused.", ("code", "level"), self._refusals),
            Family("ikiro_event_loop_lag_seconds", "gauge", "The event loop's worst delay since the last scrape.",
                   [("", {}, lag)]),
        ]  # fmt: skip


def _histogram(known: dict[str, Histogram], label: str) -> Histogram:
    found = known.get(label)
    if found is None:
        found = known[label] = Histogram()
    return found


def _histograms(name: str, about: str, known: dict[str, Histogram]) -> Family:
    return Family(
        name, "histogram", about, [one for label in sorted(known) for one in known[label].samples(provider=label)]
    )


def _counters(name: str, about: str, labels: tuple[str, ...], counted: Counter[Any]) -> Family:
    samples: list[Sample] = []
    for key, count in sorted(counted.items()):
        values = key if isinstance(key, tuple) else (key,)
        samples.append(("_total", dict(zip(labels, values, strict=True)), float(count)))
    return Family(name, "counter", about, samples)


metrics = Metrics()
