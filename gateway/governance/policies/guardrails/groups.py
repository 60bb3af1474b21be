"""Rules that look for personal data and secrets, put together so that each text is read as seldom as may be.

Rules of one action are looked for at once. Rules of different actions are not: a find that is only flagged must not
cover one that blocks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gateway.governance.policies.guards import SECRETS, Action, Finding, GuardRule, found
from gateway.governance.policies.redaction.detectors import ALL, Detector


def is_data(rule: GuardRule) -> bool:
    """Whether a rule looks for personal data or secrets."""
    return rule.guard.kind in ("pii", SECRETS)


@dataclass(frozen=True, slots=True)
class Group:
    """Rules of one action."""

    rules: tuple[GuardRule, ...]
    action: Action
    shadow: bool

    @property
    def labels(self) -> frozenset[str]:
        return frozenset(map(_label, self.rules))

    @property
    def detectors(self) -> tuple[Detector, ...]:
        return tuple(detector for detector in ALL if detector.label in self.labels)

    @property
    def masks(self) -> bool:
        return self.action is Action.MASK and not self.shadow

    @property
    def blocks(self) -> bool:
        return self.action is Action.BLOCK and not self.shadow

    def findings(self, counts: Mapping[str, int]) -> list[Finding]:
        """One for each rule whose kind was found."""
        return [found(rule, counts[_label(rule)], kind=_label(rule)) for rule in self.rules if counts[_label(rule)]]


def grouped(rules: Iterable[GuardRule]) -> list[Group]:
    """The data rules among ``rules``, by what they do."""
    together: dict[tuple[Action, bool], list[GuardRule]] = defaultdict(list)
    for rule in rules:
        if is_data(rule):
            together[rule.action, rule.shadow].append(rule)
    return [Group(tuple(listed), action, shadow) for (action, shadow), listed in together.items()]


def _label(rule: GuardRule) -> str:
    return "secret" if rule.name == SECRETS else rule.guard.label
