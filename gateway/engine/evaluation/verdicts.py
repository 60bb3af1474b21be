"""What a policy makes of one request, in the order in which a turn asks it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from gateway.core.errors import GatewayError
from gateway.governance.policies import guardrails
from gateway.governance.policies.guards import Action, Direction
from gateway.governance.policies.types import EffectivePolicy, TraceLine


@dataclass(frozen=True, slots=True)
class Routed:
    """Where a request goes: ``code`` and ``line`` say why it is refused, both None when it is let through, to
    ``model``. All that policy decides of a call to a bare model."""

    code: str | None
    line: str | None
    model: str | None

    @property
    def refused(self) -> bool:
        return self.code is not None

    def changes(self, other: Routed) -> dict[str, dict[str, Any]]:
        """Every decision in which the other one differs: ``{field: {"before", "after"}}``."""
        mine, theirs = asdict(self), asdict(other)
        return {
            one.name: {"before": mine[one.name], "after": theirs[one.name]}
            for one in fields(self)
            if mine[one.name] != theirs[one.name]
        }


# The full names of the models that a turn may go to, in order, or why there are none.
Targets = Sequence[str] | Routed


@dataclass(frozen=True, slots=True)
class Verdict(Routed):
    """The same for a persona's turn, with what holds for it. ``guardrails`` are those that acted on what was sent,
    ``answer_guardrails`` those that stand over the answer, each with its action."""

    redact_mode: str
    memory_scopes: tuple[str, ...] | None
    max_output_tokens: int | None
    approval: str
    auto_types: tuple[str, ...]
    min_confidence: float
    write_targets: tuple[tuple[str, ...], ...]
    do: tuple[str, ...]
    dont: tuple[str, ...]
    disclaimers: tuple[str, ...]
    conversation_days: int | None
    body_days: int | None
    guardrails: tuple[str, ...]
    answer_guardrails: tuple[str, ...]


def both(
    before: EffectivePolicy,
    after: EffectivePolicy,
    *,
    targets: tuple[Targets, Targets],
    tools: Sequence[str],
    texts: Sequence[str],
    names: Sequence[str] = (),
) -> tuple[Verdict, Verdict]:
    """The verdicts of two policies on one request; ``targets`` are what it may go to under each. Texts and names are
    read once where both have the same guardrails."""
    found = guardrails.inspect_input(before, texts, names)
    same = before.guards(Direction.INPUT) == after.guards(Direction.INPUT)
    also = found if same else guardrails.inspect_input(after, texts, names)
    return _of(before, targets[0], tools, found), _of(after, targets[1], tools, also)


def refused(error: GatewayError) -> Routed:
    """Where nobody is asked, and why."""
    line = error.extra.get("policy")
    return Routed(error.code, line["field"] if isinstance(line, Mapping) else None, None)


def _of(policy: EffectivePolicy, targets: Targets, tools: Sequence[str], found: guardrails.Verdict) -> Verdict:
    if isinstance(targets, Routed):
        code, line, model = targets.code, targets.line, targets.model
    else:
        model = policy.model_of(targets)
        problems = (policy.model_problem(model), *(policy.tool_problem(tool) for tool in tools))
        code, line = _refusal(next((one for one in problems if one is not None), None), found)
    return Verdict(
        code=code,
        line=line,
        model=model if code is None else None,
        redact_mode=policy.redact_mode.value,
        memory_scopes=policy.memory_scopes,
        max_output_tokens=policy.max_output_tokens,
        approval=policy.approval.value,
        auto_types=policy.auto_types,
        min_confidence=policy.min_confidence,
        write_targets=tuple(rule.globs for rule in policy.write_targets),
        do=policy.do,
        dont=policy.dont,
        disclaimers=policy.disclaimers,
        conversation_days=policy.retention.conversation_days,
        body_days=policy.retention.body_days,
        guardrails=tuple(sorted({one.guardrail for one in found.findings if one.acted})),
        answer_guardrails=_over_answers(policy),
    )


def _over_answers(policy: EffectivePolicy) -> tuple[str, ...]:
    rules = (rule for rule in policy.guards(Direction.OUTPUT) if not rule.shadow and rule.action is not Action.OFF)
    return tuple(sorted({f"{rule.name}: {rule.action.value}" for rule in rules}))


def _refusal(line: TraceLine | None, found: guardrails.Verdict) -> tuple[str | None, str | None]:
    if line is not None:
        return "policy_refused", line.field
    if found.blocked is not None:
        return "guardrail_blocked", str(found.blocked.line["field"])
    return None, None
