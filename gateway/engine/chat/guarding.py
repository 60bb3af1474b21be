"""What the policy says of what goes to the model: guardrails over every text of every message, before anything is
masked, and the tools that may be offered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.engine.chat.messages import Message, mapped, texts_in
from gateway.governance.policies import guardrails
from gateway.governance.policies.guardrails import Finding
from gateway.governance.policies.types import EffectivePolicy


def guarded(messages: Sequence[Message], policy: EffectivePolicy) -> tuple[tuple[Message, ...], tuple[Finding, ...]]:
    """The messages as the input guardrails let them through, and what they found. Raises GuardrailBlocked."""
    if not policy.guardrails:
        return tuple(messages), ()
    texts = [text for message in messages for text in texts_in(message)]
    verdict = guardrails.inspect_input(policy, texts)
    verdict.require()
    if list(verdict.texts) == texts:
        return tuple(messages), verdict.findings
    given = iter(verdict.texts)
    return tuple(mapped(message, lambda _: next(given)) for message in messages), verdict.findings


def check_tools(tools: Sequence[dict[str, Any]], policy: EffectivePolicy) -> None:
    """Raises Forbidden ``policy_refused``, with the line that says so, for the first tool that may not be offered."""
    for tool in tools:
        policy.check_tool(tool["function"]["name"])
