"""Guardrails on what the caller sends: all texts of a request at once. Pure; linear in their length."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gateway.governance.policies.guardrails import blocklists, measures
from gateway.governance.policies.guardrails.budgets import Budget
from gateway.governance.policies.guardrails.errors import GuardrailBlocked
from gateway.governance.policies.guardrails.groups import Group, grouped
from gateway.governance.policies.guardrails.injection import Score, score
from gateway.governance.policies.guards import (
    BLOCKLIST,
    INJECTION,
    LENGTH,
    REMOVED,
    Action,
    Direction,
    Finding,
    GuardRule,
    found,
)
from gateway.governance.policies.redaction.stream import StreamRedactor
from gateway.governance.policies.types import EffectivePolicy


@dataclass(frozen=True, slots=True)
class Verdict:
    """``texts`` are those given, in their order, masked where a guardrail masks; ``blocked`` is the finding of highest
    authority that blocks. ``findings`` hold no content."""

    blocked: Finding | None
    findings: tuple[Finding, ...]
    texts: tuple[str, ...]

    def require(self) -> None:
        """Raise GuardrailBlocked when the texts are blocked."""
        if self.blocked is not None:
            raise GuardrailBlocked(self.blocked)


def inspect_input(policy: EffectivePolicy, texts: Sequence[str], names: Sequence[str] = ()) -> Verdict:
    """What the policy's guardrails say of the texts of a request, as the caller sent them. ``names`` are what must stay
    what it is (of a tool, an id): what blocks reads them too; they are neither masked nor counted.

    Every rule reads the texts as they came; masks are put in afterwards. A pattern that does not end in time counts as
    found where its rule masks or blocks, and then blocks: nothing passes unread.
    """
    rules = policy.guards(Direction.INPUT)
    verdict = _inspect(rules, texts)
    if names:
        blocking = [rule for rule in rules if rule.action is Action.BLOCK and rule.name != LENGTH]
        named = _inspect(blocking, names)
        verdict = Verdict(verdict.blocked or named.blocked, verdict.findings + named.findings, verdict.texts)
    return verdict


def _inspect(rules: Sequence[GuardRule], texts: Sequence[str]) -> Verdict:
    if not rules:
        return Verdict(None, (), tuple(texts))
    given = tuple(texts)
    findings: dict[GuardRule, Finding] = {}
    budget = Budget.of_text(sum(map(len, given)))
    shown, scored = _injection(rules, given)
    findings |= scored
    for rule in rules:
        if rule.guard.kind == LENGTH and (finding := _length(rule, given)):
            findings[rule] = finding
        elif rule.guard.kind == BLOCKLIST:
            finding, shown = _blocklist(rule, given, shown, budget)
            if finding is not None:
                findings[rule] = finding
    for group in grouped(rules):
        found_here, shown = _data(group, given, shown)
        findings |= found_here
    ordered = tuple(findings[rule] for rule in rules if rule in findings)
    return Verdict(next((one for one in ordered if _blocks(one)), None), ordered, shown)


def _blocks(finding: Finding) -> bool:
    if finding.shadow:
        return False
    return finding.action is Action.BLOCK or (finding.action is Action.MASK and "overdue" in finding.detail)


def _length(rule: GuardRule, texts: Sequence[str]) -> Finding | None:
    guard = rule.guard
    measured = {"chars": sum(map(len, texts)), "tokens": measures.tokens(measures.size(texts))}
    limits = {"chars": guard.max_input_chars, "tokens": guard.max_input_tokens}
    over = {name: limit for name, limit in limits.items() if limit is not None and measured[name] > limit}
    return found(rule, 1, limits=over, measured={name: measured[name] for name in over}) if over else None


def _injection(rules: Iterable[GuardRule], texts: tuple[str, ...]) -> tuple[tuple[str, ...], dict[GuardRule, Finding]]:
    ours = [rule for rule in rules if rule.name == INJECTION]
    if not ours:
        return texts, {}
    scores = [score(text) for text in texts]
    findings: dict[GuardRule, Finding] = {}
    masked_from = 2.0
    for rule in ours:
        over = [one for one in scores if one.value >= rule.guard.threshold]
        if over:
            worst = max(over, key=lambda one: one.value)
            findings[rule] = found(
                rule, len(over), score=worst.value, threshold=rule.guard.threshold, signals=list(worst.signals)
            )
            if rule.action is Action.MASK and not rule.shadow:
                masked_from = min(masked_from, rule.guard.threshold)
    shown = (_masked(text, one) if one.value >= masked_from else text for text, one in zip(texts, scores, strict=True))
    return tuple(shown), findings


def _masked(text: str, scored: Score) -> str:
    """Without its signs; what was found behind a disguise takes the whole text along."""
    if "disguised" in scored.signals or not scored.spans:
        return REMOVED
    parts, at = [], 0
    for begin, end in scored.spans:
        parts += [text[at:begin], REMOVED]
        at = end
    return "".join([*parts, text[at:]])


def _blocklist(
    rule: GuardRule, given: tuple[str, ...], shown: tuple[str, ...], budget: Budget
) -> tuple[Finding | None, tuple[str, ...]]:
    detectors, hold = blocklists.detectors(rule.guard, budget)
    masks = rule.action is Action.MASK and not rule.shadow
    redactor = StreamRedactor(detectors=detectors, hold=hold)
    try:
        after = tuple(redactor.feed(text) + redactor.finish() for text in (shown if masks else given))
    except blocklists.Overdue:
        return found(rule, 0, overdue=True), shown
    count = redactor.counts.total()
    return (found(rule, count, list=rule.guard.label) if count else None), after if masks else shown


def _data(
    group: Group, given: tuple[str, ...], shown: tuple[str, ...]
) -> tuple[dict[GuardRule, Finding], tuple[str, ...]]:
    redactor = StreamRedactor(detectors=group.detectors)
    after = tuple(redactor.feed(text) + redactor.finish() for text in (shown if group.masks else given))
    counts: Counter[str] = redactor.counts
    by_rule = {rule: one for rule in group.rules for one in group.findings(counts) if one.line == rule.line()}
    return by_rule, after if group.masks else shown
