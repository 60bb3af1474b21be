"""What a pass-through call is held to by the locks of its organization and its key's teams (ADR-0051). Its body is read
only where one of them asks for what stands in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec

from gateway.core.errors import Forbidden
from gateway.engine.routing import policies
from gateway.engine.routing.planning import plan
from gateway.engine.routing.policies import Bound
from gateway.engine.routing.types import Plan
from gateway.governance.policies import bare
from gateway.governance.policies.types import EffectivePolicy, TraceLine, refused
from gateway.platform.providers.types import Shape
from tenants.types import Principal

# These answer with no text of a length that could be limited.
NO_ANSWER = frozenset({Shape.EMBEDDINGS, Shape.COUNT_TOKENS})
# What each dialect calls the longest answer; of several the largest counts, for a provider may mind any of them.
_LIMITS = {
    Shape.CHAT: ("max_completion_tokens", "max_tokens"),
    Shape.RESPONSES: ("max_output_tokens",),
    Shape.MESSAGES: ("max_tokens",),
}
_TOOLS = ("tools", "functions", "mcp_servers")
_WAY_OUT = {
    False: "have the lock changed",
    True: "name a persona and a subject (x-persona-id, x-subject-id), or have the lock changed",
}


@dataclass(frozen=True, slots=True)
class Passing:
    """A call as it would pass."""

    body: bytes
    shape: Shape

    def require(self, locks: EffectivePolicy | None) -> None:
        """Raise Forbidden ``policy_refused`` for the first lock that the call does not keep."""
        if locks is not None and (refusal := self._refusal(locks)) is not None:
            raise refusal

    def _refusal(self, locks: EffectivePolicy) -> Forbidden | None:
        answers = self.shape not in NO_ANSWER
        if (line := bare.unkept(locks, answers=answers)) is not None:
            return _told(line, f"locks {line.field}, which a call to a bare model cannot keep", answers=answers)
        by_body = locks.allowed_tools or locks.denied_tools or locks.max_output_tokens is not None
        if not answers or not by_body:
            return None
        fields = _fields(self.body)
        for tool in offered(fields):
            if (line := locks.tool_problem(tool)) is not None:
                return refused(line, f"does not allow the tool {tool!r}; leave it out, or have the lock changed")
        if (line := bare.too_long(locks, self._longest(fields))) is not None:
            name = _LIMITS[self.shape][0]
            return refused(line, f"allows answers of {line.value} tokens; send {name} of no more")
        return None

    def _longest(self, fields: dict[str, Any]) -> int | None:
        asked = [value for name in _LIMITS[self.shape] if isinstance(value := fields.get(name), int)]
        return max(asked, default=None)


async def permitted(
    principal: Principal,
    model: str,
    passing: Passing | None = None,
    *,
    request_id: UUID,
    needs: frozenset[str] = frozenset(),
    bound: Bound | None = None,
) -> Plan:
    """``plan`` for a turn, or for a call that is ``passing`` and keeps the locks, under what binds the caller
    (``bound`` stands for it). Raises what that does, and as ``Passing.require``."""
    bound = bound or await policies.bound(principal)
    if passing is not None:
        passing.require(bound.locks)
    organization = principal.organization
    return await plan(organization, model, principal=principal, request_id=request_id, needs=needs, policy=bound.policy)


def offered(fields: dict[str, Any]) -> Iterator[str]:
    """The names of the tools that a body offers, in whichever dialect; one without a name goes by its type."""
    for place in _TOOLS:
        listed = fields.get(place)
        for tool in listed if isinstance(listed, list) else ():
            yield _name(tool)
    if fields.get("web_search_options") is not None:
        yield "web_search"


def _name(tool: Any) -> str:
    if not isinstance(tool, dict):
        return ""
    inner = next((tool[kind] for kind in ("function", "custom") if isinstance(tool.get(kind), dict)), tool)
    return str(inner.get("name") or tool.get("type") or "")


def _fields(body: bytes) -> dict[str, Any]:
    found = msgspec.json.decode(body)
    return found if isinstance(found, dict) else {}


def _told(line: TraceLine, why: str, *, answers: bool) -> Forbidden:
    return refused(line, f"{why}: {_WAY_OUT[answers]}")
