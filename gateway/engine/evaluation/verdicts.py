"""What a policy makes of one request, in the order in which a turn asks it. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from gateway.engine.evaluation.inputs import Asked
from gateway.governance.policies import guardrails
from gateway.governance.policies.types import EffectivePolicy, TraceLine


@dataclass(frozen=True, slots=True)
class Verdict:
    """``code`` and ``line`` say why it is refused; both None when it is let through. The rest is what holds for it."""

    code: str | None
    line: str | None
    redact_mode: str
    memory_scopes: tuple[str, ...] | None
    max_output_tokens: int | None
    approval: str
    auto_types: tuple[str, ...]
    do: tuple[str, ...]
    dont: tuple[str, ...]
    disclaimers: tuple[str, ...]
    guardrails: tuple[str, ...]

    @property
    def refused(self) -> bool:
        return self.code is not None

    def changes(self, other: Verdict) -> dict[str, dict[str, Any]]:
        """Every decision in which the other one differs: ``{field: {"before", "after"}}``."""
        mine, theirs = asdict(self), asdict(other)
        return {
            one.name: {"before": mine[one.name], "after": theirs[one.name]}
            for one in fields(self)
            if mine[one.name] != theirs[one.name]
        }


def of(policy: EffectivePolicy, asked: Asked, model: str) -> Verdict:
    """The verdict; ``model`` is the full name that the request was sent to."""
    problems = (policy.model_problem(model), *(policy.tool_problem(tool) for tool in asked.tools))
    line = next((one for one in problems if one is not None), None)
    found = guardrails.inspect_input(policy, asked.texts)
    code, named = _refusal(line, found)
    return Verdict(
        code=code,
        line=named,
        redact_mode=policy.redact_mode,
        memory_scopes=policy.memory_scopes,
        max_output_tokens=policy.max_output_tokens,
        approval=policy.approval,
        auto_types=policy.auto_types,
        do=policy.do,
        dont=policy.dont,
        disclaimers=policy.disclaimers,
        guardrails=tuple(sorted({one.guardrail for one in found.findings if one.acted})),
    )


def _refusal(line: TraceLine | None, found: guardrails.Verdict) -> tuple[str | None, str | None]:
    if line is not None:
        return "policy_refused", line.field
    if found.blocked is not None:
        return "guardrail_blocked", str(found.blocked.line["field"])
    return None, None
