"""`POST /v1/embeddings`: OpenAI's embeddings, under our admission and ledger."""

from __future__ import annotations

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from ninja import Router

from gateway.core.endpoint import Body, Metering, Scope, call_of, endpoint
from gateway.engine.chat import passthrough
from gateway.platform.providers.types import Shape
from gateway.surfaces import passing
from gateway.surfaces.openai import answers, envelope
from gateway.surfaces.openai.document import EMBEDDINGS

router = Router(tags=["openai"])


@router.post("/embeddings", summary="OpenAI embeddings", openapi_extra=EMBEDDINGS)
@endpoint(scope=Scope.CHAT, metering=Metering.CALL, body=Body.INFERENCE, surface="openai", raw=True)
async def embeddings(request: HttpRequest) -> HttpResponseBase:
    """Texts or token lists as vectors, one or many, as numbers or base64. The sandbox's vectors are hashed words, which
    its answer says; a provider without embeddings is 400 `shape_not_served`."""
    call, body = call_of(request), request.body
    read = envelope.read_embedding(body)
    passed = await passthrough.forward(
        call,
        body,
        model=read.model,
        stream=False,
        max_tokens=0,
        shape=Shape.EMBEDDINGS,
        cache_control=request.META.get("HTTP_CACHE_CONTROL"),
    )
    return await passing.answered(passed, stream=False, failure=lambda error, _: answers.failure(error, call))
