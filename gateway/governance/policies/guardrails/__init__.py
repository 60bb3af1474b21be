"""Guardrails on input and output: personal data, secrets, signs of injection, blocklists, length. Pure.

``inspect_input`` reads a request's texts, ``OutputGuard`` an answer as it comes; ``score`` tells how much a text looks
like an attempt to give the model other instructions. What holds is in the effective policy.
"""

from gateway.governance.policies.guardrails.errors import GuardrailBlocked
from gateway.governance.policies.guardrails.injection import Score, score
from gateway.governance.policies.guardrails.inspection import Verdict, inspect_input
from gateway.governance.policies.guardrails.output import OutputGuard
from gateway.governance.policies.guards import Action, Direction, Finding, Guard, GuardRule

__all__ = [
    "Action",
    "Direction",
    "Finding",
    "Guard",
    "GuardRule",
    "GuardrailBlocked",
    "OutputGuard",
    "Score",
    "Verdict",
    "inspect_input",
    "score",
]
