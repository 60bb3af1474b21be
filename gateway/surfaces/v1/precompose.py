"""``POST /v1/packs/precompose``: the prompt of a turn, for a caller who asks the model alone."""

from __future__ import annotations

from django.http import HttpRequest
from ninja import Router

from gateway.core import ids
from gateway.core.endpoint import Body, Scope, call_of, endpoint
from gateway.engine.chat import precompose as packs
from gateway.engine.chat.types import ChatRequest
from gateway.surfaces.v1.schemas.chat import CitationOut
from gateway.surfaces.v1.schemas.precompose import PackIn, PackOut

router = Router(tags=["chat"])


@router.post("/packs/precompose", response=PackOut, summary="The prompt of a turn, to be sent without the gateway")
@endpoint(scope=Scope.CHAT, flag="enable_precompose", body=Body.INFERENCE, reads=True)
async def precompose(request: HttpRequest, body: PackIn) -> PackOut:
    """Persona, policy and recall composed as `/v1/chat` does, without calling a model: put `system_prompt` first and
    `context_messages` before the last user message. `ttl` is for how many seconds the pack may be used again; `loses`
    says what the gateway cannot do for a call that it does not see."""
    call = call_of(request)
    pack = await packs.precompose(call, _turn(body, len(request.body)))
    return PackOut(
        system_prompt=pack.system_prompt,
        context_messages=list(pack.context_messages),
        ttl=pack.ttl,
        persona_id=pack.persona_id,
        persona_version=pack.persona_version,
        memories={marker: CitationOut(**citation.wire()) for marker, citation in pack.memories},
        cache_hit=pack.cache_hit,
        degraded=pack.degraded,
        redirect=pack.redirect,
        loses=packs.LOST,
        decisions=call.decisions,
        request_id=ids.public("req", call.request_id),
    )


def _turn(body: PackIn, size: int) -> ChatRequest:
    """The turn whose only message is the question."""
    return ChatRequest(
        model=body.model or "",
        persona_id=body.persona_id,
        subject_id=body.subject_id,
        messages=({"role": "user", "content": body.query},),
        memory_scopes=None if body.memory_scopes is None else tuple(body.memory_scopes),
        redact_mode=body.redact_mode,
        persona_version=body.persona_version,
        mode=body.persona_mode or "direct",
        body_bytes=size,
    )
