"""The refusal of a text by a guardrail."""

from __future__ import annotations

from gateway.core.errors import Forbidden
from gateway.governance.policies.guards import Direction, Finding

_WHAT = {Direction.INPUT: "What was sent", Direction.OUTPUT: "The answer"}


class GuardrailBlocked(Forbidden):
    """``extra["policy"]`` is the line of the policy that blocks; ``finding`` says why, without the content."""

    default_code = "guardrail_blocked"

    def __init__(self, finding: Finding) -> None:
        what = _WHAT[finding.direction]
        super().__init__(
            f"{what} is blocked by the guardrail {finding.guardrail} of {finding.set_by}.",
            extra={"policy": finding.line, "guardrail": finding.guardrail, "finding": finding.detail},
        )
        self.finding = finding
