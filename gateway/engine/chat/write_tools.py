"""The two tools that a model is offered beside the caller's own. Calling one proposes a write; nothing is executed
here.

The caller never sees them: not in the answer, not in a stream, and a tool of his with one of these names is refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gateway.core.errors import BadRequest, FieldProblem
from gateway.knowledge.memory.types import MemoryType

MEMORY_UPSERT, PROPOSE_WRITE = "ikiro_memory_upsert", "ikiro_propose_write"
OWN_NAMES = frozenset({MEMORY_UPSERT, PROPOSE_WRITE})
MEMORY_TYPES = tuple(
    kind.value
    for kind in (
        MemoryType.FACT,
        MemoryType.PREFERENCE,
        MemoryType.EVENT,
        MemoryType.RELATIONSHIP,
        MemoryType.FUTURE_EVENT,
    )
)
MEMORY_FIELDS = frozenset({"text", "type", "slot", "value", "occurred_at", "confidence", "memory"})
WRITE_FIELDS = frozenset({"type", "payload", "confidence", "memory"})

_CONFIDENCE = {
    "type": "number",
    "minimum": 0,
    "maximum": 1,
    "description": "How sure you are that the person wants this.",
}
_MEMORY = {
    "type": "integer",
    "minimum": 1,
    "description": "The number N of the memory [mN] that this rests on, if it does.",
}
# In words: a schema of alternatives is more than most models follow.
_PAYLOADS = (
    "What to write. calendar.create: {title, when (ISO 8601 with offset, or a date), until?, duration_minutes?, "
    "location?, description?}; email.draft: {to: [...], cc?, subject, body}; webhook.call: {data, event?}; "
    "memory.forget: {reason?}, with the memory's number in `memory`."
)

WRITE_TOOLS: tuple[dict[str, Any], ...] = (
    {
        "type": "function",
        "function": {
            "name": MEMORY_UPSERT,
            "description": "Propose to remember what the person said about themselves. They approve it first.",
            "parameters": {
                "type": "object",
                "properties": {
                    "text": {
                        "type": "string",
                        "description": "One self-contained sentence, in the person's own terms.",
                    },
                    "type": {"type": "string", "enum": list(MEMORY_TYPES)},
                    "slot": {
                        "type": "string",
                        "description": "The attribute it fixes, such as home.city.",
                    },
                    "value": {"description": "The attribute's value, when there is a slot."},
                    "occurred_at": {
                        "type": "string",
                        "description": "When it happened: ISO 8601, with an offset when it has a time.",
                    },
                    "confidence": _CONFIDENCE,
                    "memory": _MEMORY,
                },
                "required": ["text", "confidence"],
                "additionalProperties": False,
            },
        },
    },
    {
        "type": "function",
        "function": {
            "name": PROPOSE_WRITE,
            "description": "Propose an action elsewhere, such as a calendar entry. The person approves it first.",
            "parameters": {
                "type": "object",
                "properties": {
                    "type": {"type": "string", "description": "What kind of write, for example calendar.create."},
                    "payload": {"type": "object", "description": _PAYLOADS},
                    "confidence": _CONFIDENCE,
                    "memory": _MEMORY,
                },
                "required": ["type", "payload"],
                "additionalProperties": False,
            },
        },
    },
)


def refuse_reserved(tools: Iterable[dict[str, Any]]) -> None:
    """Raises BadRequest ``tool_name_reserved``, naming the field, for a tool that has one of our names."""
    for at, tool in enumerate(tools):
        function = tool.get("function")
        name = function.get("name") if isinstance(function, dict) else None
        if name in OWN_NAMES:
            problem = FieldProblem(
                f"/tools/{at}/function/name", "tool_name_reserved", f"{name} is the gateway's own tool."
            )
            raise BadRequest(f"A tool cannot be named {name!r}.", code="tool_name_reserved", problems=(problem,))
