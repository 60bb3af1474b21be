"""A prompt pack: what a turn would send to the model, for a caller who asks a provider without the gateway.

The same steps as a turn's, by the same code, up to the model: key, persona, policy, recall, compose. Nothing is left
behind but the trail of what was read; what the caller gives up by going alone is said in the pack itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.core import clock
from gateway.core.endpoint import Call
from gateway.engine.chat import compose, observed, prepare
from gateway.engine.chat.citations import cite
from gateway.engine.chat.types import ChatRequest, Citation
from gateway.knowledge.memory.types import Recall
from gateway.platform.admission import gate
from gateway.platform.flags import catalogue
from gateway.platform.telemetry import tracing

# What the gateway does around a model call, which nobody does around one made without it.
LOST: dict[str, str] = {
    "approvals": "The model is offered no write tools: what it would like to remember or change becomes no proposal.",
    "citations": "Markers such as [m1] stay in the answer; resolve them with this pack's memories.",
    "output_policy": "The answer and its tool calls are neither masked nor guarded, and no limit of length holds.",
    "caching": "Neither the response cache nor the prompt of the next turn is shared with calls through the gateway.",
    "audit": "The trail ends with this pack: the answer, its cost and its tokens are in no ledger and no record.",
    "freshness": "What is forgotten, silenced or revoked after this pack was made is still in it, until its ttl ends.",
}


@dataclass(frozen=True, slots=True)
class Pack:
    """``ttl`` is the number of whole seconds for which the pack may be used again; ``memories`` says, by marker, what
    each ``[m1]`` in the context is; ``redirect`` is what the persona answers this question with, without any model."""

    system_prompt: str
    context_messages: tuple[dict[str, Any], ...]
    ttl: int
    persona_id: str
    persona_version: int
    memories: tuple[tuple[str, Citation], ...]
    cache_hit: bool
    degraded: bool
    redirect: str | None


async def precompose(call: Call, request: ChatRequest) -> Pack:
    """The pack for ``request``, whose last message is the question. It counts as one memory operation.

    Raises what a turn raises up to the model: Forbidden, NotFound, PaymentRequired, RateLimited, Unavailable.
    """
    principal = call.principal
    request = prepare.admitted(principal, request)
    with tracing.span(call, "recall"):
        prepared = await prepare.ready(call, request, keep=False)
    await gate.count_memory_operations(call, 1, subject_id=request.subject_id)  # what was refused is not counted
    prepare.decided(call, prepared)
    observed.recalled(call, prepared.recall)
    with tracing.span(call, "compose"):
        parts = compose.parts(
            persona_prompt=prepared.persona.prompt,
            situation=prepared.situation,
            policy=prepared.policy,
            memories=prepared.recall.memories,
            offers_writes=False,
        )
    now = clock.now()
    most = catalogue.value(principal.organization, "cache-memory-ttl-seconds")
    return Pack(
        parts.stable,
        ({"role": "system", "content": parts.volatile},),
        _ttl(prepared.recall, int(most), now),
        prepared.persona.persona_id,
        prepared.persona.version,
        tuple(
            (f"m{number}", cite(memory, prepared.policy.redact_mode))
            for number, memory in enumerate(prepared.recall.memories, 1)
        ),
        prepared.recall.cache_hit,
        prepared.recall.degraded,
        prepared.redirect.text if prepared.redirect is not None else None,
    )


def _ttl(recall: Recall, most: int, now: datetime) -> int:
    """As long as the gateway itself would answer from its cache, and no longer than each memory in it is true."""
    left = recall.cached[1] if recall.cached is not None else most
    ends = [(one.visible_until - now).total_seconds() for one in recall.memories if one.visible_until is not None]
    return max(0, int(min([left, *ends])))
