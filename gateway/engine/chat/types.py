"""The chat engine's own language. Every surface translates its dialect to ``ChatRequest`` and from ``Event``; none
re-implements a stage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from gateway.core import ids
from gateway.knowledge.personas.types import Mode, PersonaVersion

MAX_MESSAGES = 2_000


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One turn. ``messages`` and ``tools`` are in OpenAI's shape; ``memory_scopes`` None means all that key and
    policy allow; ``mode`` is ``group`` where others read along; ``body_bytes`` is the size of what the caller sent, the
    upper bound of its prompt tokens; ``targets``, once it is planned, are all the models that it may go to. A
    ``rehearsal`` speaks with this version, published or not: it is paid for and
    recorded like every turn, and leaves nothing else behind."""

    model: str
    persona_id: str
    subject_id: str
    messages: tuple[dict[str, Any], ...]
    memory_scopes: tuple[str, ...] | None = None
    redact_mode: str | None = None
    stream: bool = False
    conversation_id: str | None = None
    persona_version: int | None = None
    max_tokens: int | None = None
    tools: tuple[dict[str, Any], ...] = ()
    tool_choice: Any = None
    params: dict[str, Any] = field(default_factory=dict)
    mode: Mode = "direct"
    body_bytes: int = 0
    rehearsal: PersonaVersion | None = None
    targets: tuple[str, ...] = ()

    @property
    def question(self) -> str:
        """The text of the last user message: what recall searches for."""
        return question_of(self.messages)

    @property
    def structured(self) -> bool:
        """Whether the answer is JSON that a program will read."""
        wanted = self.params.get("response_format")
        return isinstance(wanted, dict) and wanted.get("type") in {"json_object", "json_schema"}


def question_of(messages: Sequence[dict[str, Any]]) -> str:
    """The text of the last user message; empty when there is none."""
    for message in reversed(messages):
        if message.get("role") == "user":
            return text_of(message.get("content"))
    return ""


def text_of(content: Any) -> str:
    """The plain text of a message's content: a string, or the text parts of a list."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(
            part.get("text", "") for part in content if isinstance(part, dict) and part.get("type") == "text"
        )
    return ""


@dataclass(frozen=True, slots=True)
class Citation:
    """A sentence's source: the memory, where it came from, how sure."""

    fact_id: str
    uri: str
    confidence: float
    snippet: str | None = None
    span: tuple[int, int] | None = None

    def wire(self) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "factId": self.fact_id, "uri": self.uri, "confidence": round(self.confidence, 4)
        }  # fmt: skip
        if self.snippet is not None:
            shown["snippet"] = self.snippet
        if self.span is not None:
            shown["span"] = list(self.span)
        return shown


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the provider counted them, or as estimated; recalls of this turn. ``cached_tokens`` are those of the
    prompt that the provider had in its cache."""

    prompt_tokens: int
    completion_tokens: int
    memory_recalls: int
    cache_hit: bool
    cached_tokens: int = 0

    def wire(self) -> dict[str, Any]:
        total = self.prompt_tokens + self.completion_tokens
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": total,
            "memory_recalls": self.memory_recalls,
            "cache_hit": self.cache_hit,
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """The whole turn, as the buffered answer and as the stream's last event. ``refused``: the model gave no answer, and
    ``content`` is its reason."""

    request_id: UUID
    model: str
    persona_id: str
    persona_version: int
    conversation_id: str
    content: str | None
    tool_calls: tuple[dict[str, Any], ...]
    finish_reason: str
    citations: tuple[Citation, ...]
    proposed_writes: tuple[dict[str, Any], ...]
    rejected_writes: tuple[dict[str, Any], ...]
    usage: Usage
    refused: bool = False

    def wire(self) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": self.content}
        if self.tool_calls:
            message["tool_calls"] = list(self.tool_calls)
        if self.refused:
            message["refusal"] = True
        answer = {
            "id": ids.public("chat", self.request_id),
            "object": "chat",
            "model": self.model,
            "persona_id": self.persona_id,
            "persona_version": self.persona_version,
            "conversation_id": self.conversation_id,
            "choices": [{"index": 0, "message": message, "finish_reason": self.finish_reason}],
            "citations": [citation.wire() for citation in self.citations],
            "proposedWrites": list(self.proposed_writes),
            "usage": self.usage.wire(),
            "request_id": ids.public("req", self.request_id),
        }
        if self.rejected_writes:
            answer["rejectedWrites"] = list(self.rejected_writes)
        return answer


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a turn: ``name`` and data as the native stream shows them. ``answer`` only on ``message.done``."""

    name: str
    data: dict[str, Any]
    answer: Answer | None = None
