"""Guardrails on what the model answers, as it comes: masked, watched and, if need be, ended."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.governance.policies.guardrails.budgets import Budget
from gateway.governance.policies.guardrails.errors import GuardrailBlocked
from gateway.governance.policies.guardrails.groups import Group, grouped
from gateway.governance.policies.guardrails.stages import (
    Length,
    Mask,
    Stage,
    WatchBlocklist,
    WatchData,
    WatchInjection,
)
from gateway.governance.policies.guards import (
    BLOCKLIST,
    INJECTION,
    LENGTH,
    Action,
    Direction,
    Finding,
    GuardRule,
)
from gateway.governance.policies.redaction.detectors import ALL, DETECTORS
from gateway.governance.policies.redaction.stream import StreamRedactor
from gateway.governance.policies.types import EffectivePolicy


class OutputGuard:
    """Takes the place of the redactor: ``feed`` each piece of an answer and send on what it returns, then ``finish``
    once. Masks what ``redact_mode`` and the guardrails mask; whatever the pieces, the outcome is that of the whole.

    Raises GuardrailBlocked as soon as a guardrail blocks. Of what blocked nothing was given out; of what stood before
    it, what had been decided. ``findings`` are those so far, without content.
    """

    def __init__(self, policy: EffectivePolicy) -> None:
        rules = policy.guards(Direction.OUTPUT)
        groups = grouped(rules) if rules else []
        self._budget = Budget.of_text()
        self._stages: list[Stage] = list(_stages(rules, groups, self._budget))
        self._masking = [group for group in groups if group.masks]
        self._mask = StreamRedactor(policy.redact_mode)
        if self._masking:
            labels = {label for group in self._masking for label in group.labels}
            wanted = {*DETECTORS[policy.redact_mode], *(one for one in ALL if one.label in labels)}
            self._mask = StreamRedactor(detectors=tuple(one for one in ALL if one in wanted))

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was found so far, in shadow too."""
        watched = [finding for stage in self._stages for finding in stage.findings()]
        masked = [finding for group in self._masking for finding in group.findings(self._mask.counts)]
        return (*watched, *masked)

    def feed(self, text: str) -> str:
        """What may be given out now."""
        self._budget.more(len(text))
        for stage in self._stages:
            text = stage.feed(text)
            _check(stage)
        return self._mask.feed(text)

    def finish(self) -> str:
        """What was held back."""
        text = ""
        for stage in self._stages:
            text = stage.feed(text) + stage.finish()
            _check(stage)
        return self._mask.feed(text) + self._mask.finish()


def _check(stage: Stage) -> None:
    if (finding := stage.blocked) is not None:
        raise GuardrailBlocked(finding)


def _stages(rules: tuple[GuardRule, ...], groups: list[Group], budget: Budget) -> Iterator[Stage]:
    """First what only watches, on the text as the model wrote it; then what changes it."""
    masks: list[Stage] = []
    cuts: list[Stage] = []
    for rule in rules:
        acts = rule.action is Action.MASK and not rule.shadow
        if rule.guard.kind == LENGTH:
            cuts.append(Length(rule))
        elif rule.guard.kind == BLOCKLIST and acts:
            masks.append(Mask.of_blocklist(rule, budget))
        elif rule.guard.kind == BLOCKLIST:
            yield WatchBlocklist(rule, budget)
        elif rule.name == INJECTION and acts:
            masks.append(Mask.of_injection(rule))
        elif rule.name == INJECTION:
            yield WatchInjection(rule)
    yield from (WatchData(group) for group in groups if not group.masks)
    yield from cuts
    yield from masks
