"""What the policy says of what goes to the model: guardrails over every text of it, before anything is masked, and the
tools that may be offered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from gateway.engine.chat.messages import mapped, mapped_schema
from gateway.engine.chat.types import ChatRequest
from gateway.governance.policies import guardrails, redaction
from gateway.governance.policies.guardrails import Finding
from gateway.governance.policies.redaction.values import Change
from gateway.governance.policies.types import EffectivePolicy, RedactMode


def guarded(request: ChatRequest, policy: EffectivePolicy) -> tuple[ChatRequest, tuple[Finding, ...]]:
    """The request as the input guardrails let it through, masked as the policy asks, and what they found. Raises
    GuardrailBlocked."""
    findings: tuple[Finding, ...] = ()
    if policy.guardrails:
        texts, names = read(request)
        verdict = guardrails.inspect_input(policy, texts, names)
        verdict.require()
        findings = verdict.findings
        if list(verdict.texts) != texts:
            given = iter(verdict.texts)
            request = _mapped(request, lambda _: next(given))
    if policy.redact_mode != RedactMode.OFF:
        request = _mapped(request, lambda text: redaction.redact(text, policy.redact_mode))
    return request, findings


def check_tools(tools: Sequence[dict[str, Any]], policy: EffectivePolicy) -> None:
    """Raises Forbidden ``policy_refused``, with the line that says so, for the first tool that may not be offered."""
    for tool in tools:
        policy.check_tool(tool["function"]["name"])


def read(request: ChatRequest) -> tuple[list[str], list[str]]:
    """The texts of a request that guardrails read, in their order, and what names something in it."""
    texts: list[str] = []
    names: list[str] = []
    _mapped(request, _noting(texts), _noting(names))
    return texts, names


def _noting(found: list[str]) -> Change:
    def note(text: str) -> str:
        found.append(text)
        return text

    return note


def _mapped(request: ChatRequest, change: Change, name: Change = str) -> ChatRequest:
    """The request with every text in it changed that the model is shown."""
    params = dict(request.params)
    for field in ("prediction", "stop"):
        if field in params:
            params[field] = redaction.each_text(params[field], change, keep=("type",))
    if "response_format" in params:
        params["response_format"] = mapped_schema(params["response_format"], change, name)
    return replace(
        request,
        messages=tuple(mapped(message, change, name) for message in request.messages),
        tools=tuple(mapped_schema(tool, change, name) for tool in request.tools),
        params=params,
    )
