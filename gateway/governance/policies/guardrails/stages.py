"""The stages that a streamed answer passes, one after the other. Each gives on the same text whatever its pieces are,
so that all of them together do."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Protocol

from gateway.governance.policies.guardrails import blocklists, measures
from gateway.governance.policies.guardrails.budgets import Budget
from gateway.governance.policies.guardrails.groups import Group
from gateway.governance.policies.guardrails.injection import total
from gateway.governance.policies.guardrails.normal import folded
from gateway.governance.policies.guardrails.signals import SIGNALS, WIDEST
from gateway.governance.policies.guards import INJECTION, REMOVED, Action, Finding, GuardRule, found
from gateway.governance.policies.redaction.detectors import Detector, whole
from gateway.governance.policies.redaction.stream import StreamRedactor

_BATCH = 64  # characters; the signs of injection are looked for in so many at a time


class Stage(Protocol):
    """``feed`` and ``finish`` as a redactor's; ``blocked`` is the finding for which nothing more may pass."""

    def feed(self, text: str) -> str: ...
    def finish(self) -> str: ...
    def findings(self) -> Sequence[Finding]: ...
    @property
    def blocked(self) -> Finding | None: ...


class _Watch:
    """Passes on what one or more redactors have decided, and changes nothing of it."""

    def __init__(self, watchers: Sequence[StreamRedactor], *, batch: int = 0) -> None:
        self._watchers = watchers
        self._batch = batch
        self._raw = ""  # what was not given on yet; its last part was perhaps not looked at either
        self._unread = 0

    def feed(self, text: str) -> str:
        self._raw += text
        self._unread += len(text)
        return self._given() if self._unread > self._batch else ""

    def finish(self) -> str:
        self._look()
        for watcher in self._watchers:
            watcher.finish()
        rest, self._raw = self._raw, ""
        return rest

    def _given(self) -> str:
        self._look()
        done = len(self._raw) - max(watcher.pending for watcher in self._watchers)
        decided, self._raw = self._raw[:done], self._raw[done:]
        return decided

    def _look(self) -> None:
        text = folded(self._raw[len(self._raw) - self._unread :]) if self._batch else self._raw[-self._unread :]
        if self._unread:
            for watcher in self._watchers:
                watcher.feed(text)
        self._unread = 0

    @property
    def _counts(self) -> Counter[str]:
        return sum((watcher.counts for watcher in self._watchers), Counter())


class WatchData(_Watch):
    """Personal data and secrets that are flagged, block or are only looked for in shadow."""

    def __init__(self, group: Group) -> None:
        super().__init__([StreamRedactor(detectors=group.detectors)])
        self._group = group

    def findings(self) -> Sequence[Finding]:
        return self._group.findings(self._counts)

    @property
    def blocked(self) -> Finding | None:
        return next(iter(self.findings()), None) if self._group.blocks else None


class WatchBlocklist(_Watch):
    """A blocklist that is flagged, blocks or is in shadow. ``Overdue`` stands for a find where it acts."""

    def __init__(self, rule: GuardRule, budget: Budget) -> None:
        detectors, hold = blocklists.detectors(rule.guard, budget)
        super().__init__([StreamRedactor(detectors=detectors, hold=hold)])
        self._rule = rule
        self._overdue = False

    def _look(self) -> None:
        if self._overdue:
            return
        try:
            super()._look()
        except blocklists.Overdue:
            self._overdue = True

    def _given(self) -> str:
        given = super()._given()
        if self._overdue:
            given, self._raw = given + self._raw, ""
        return given

    def finish(self) -> str:
        if not self._overdue:
            try:
                return super().finish()
            except blocklists.Overdue:
                self._overdue = True
        rest, self._raw = self._raw, ""
        return rest

    def findings(self) -> Sequence[Finding]:
        if self._overdue:
            return [found(self._rule, 0, overdue=True)]
        count = self._counts.total()
        return [found(self._rule, count, list=self._rule.guard.label)] if count else []

    @property
    def blocked(self) -> Finding | None:
        acts = self._rule.action is Action.BLOCK and not self._rule.shadow
        return next(iter(self.findings()), None) if acts else None


class WatchInjection(_Watch):
    """Signs of injection in the answer: each is looked for by itself, and what is seen adds up."""

    def __init__(self, rule: GuardRule) -> None:
        watchers = [
            StreamRedactor(detectors=(Detector(str(number), signal.pattern, whole),), hold=WIDEST)
            for number, signal in enumerate(SIGNALS)
        ]
        super().__init__(watchers, batch=_BATCH)
        self._rule = rule

    def findings(self) -> Sequence[Finding]:
        weights: dict[str, float] = {}
        for number in self._counts:
            signal = SIGNALS[int(number)]
            weights[signal.name] = max(signal.weight, weights.get(signal.name, 0.0))
        value, threshold = total(weights), self._rule.guard.threshold
        if value < threshold:
            return []
        return [found(self._rule, 1, score=value, threshold=threshold, signals=sorted(weights))]

    @property
    def blocked(self) -> Finding | None:
        acts = self._rule.action is Action.BLOCK and not self._rule.shadow
        return next(iter(self.findings()), None) if acts else None


class Mask(StreamRedactor):
    """A blocklist's words and patterns, or the heavy signs of injection, masked one by one."""

    def __init__(self, rule: GuardRule, detectors: tuple[Detector, ...], hold: int, shown: str) -> None:
        super().__init__(detectors=detectors, hold=hold)
        self._rule = rule
        self._mask = shown
        self._overdue = False

    @classmethod
    def of_blocklist(cls, rule: GuardRule, budget: Budget) -> Mask:
        return cls(rule, *blocklists.detectors(rule.guard, budget), f"[{blocklists.LABEL}]")

    @classmethod
    def of_injection(cls, rule: GuardRule) -> Mask:
        """Only signs that reach the threshold by themselves: what was given out cannot be taken back later."""
        return cls(rule, _heavy(rule.guard.threshold), WIDEST, REMOVED)

    def feed(self, piece: str) -> str:
        try:
            return super().feed(piece)
        except blocklists.Overdue:
            self._overdue = True
            return ""

    def finish(self) -> str:
        try:
            return super().finish()
        except blocklists.Overdue:
            self._overdue = True
            return ""

    def _shown(self, detector: Detector, begin: int, end: int) -> str:
        return self._mask

    def findings(self) -> Sequence[Finding]:
        if self._overdue:
            return [found(self._rule, 0, overdue=True)]
        count = self.counts.total()
        detail: dict[str, Any] = {"list": self._rule.guard.label}
        if self._rule.name == INJECTION:
            detail = {"signals": sorted(self.counts), "threshold": self._rule.guard.threshold}
        return [found(self._rule, count, **detail)] if count else []

    @property
    def blocked(self) -> Finding | None:
        """What could not be read in time cannot be masked either, so it does not pass."""
        return self.findings()[0] if self._overdue else None


@lru_cache(maxsize=64)
def _heavy(threshold: float) -> tuple[Detector, ...]:
    return tuple(
        Detector(signal.name, re.compile(signal.pattern.pattern, re.IGNORECASE), whole)
        for signal in SIGNALS
        if signal.weight >= threshold
    )


class Length:
    """So many tokens of an answer, by their bytes: beyond them it is flagged, cut (``mask``) or blocked."""

    def __init__(self, rule: GuardRule) -> None:
        self._rule = rule
        self._most = (rule.guard.max_output_tokens or 0) * measures.BYTES_PER_TOKEN
        self._seen = 0

    def feed(self, text: str) -> str:
        before = self._seen
        self._seen += measures.size([text])
        if self._seen <= self._most or self._rule.shadow or self._rule.action is not Action.MASK:
            return text
        return text.encode("utf-8", "replace")[: max(0, self._most - before)].decode("utf-8", "ignore")

    def finish(self) -> str:
        return ""

    def findings(self) -> Sequence[Finding]:
        if self._seen <= self._most:
            return []
        limit = self._rule.guard.max_output_tokens
        return [found(self._rule, 1, limits={"tokens": limit}, measured={"tokens": measures.tokens(self._seen)})]

    @property
    def blocked(self) -> Finding | None:
        acts = self._rule.action is Action.BLOCK and not self._rule.shadow
        return next(iter(self.findings()), None) if acts else None
