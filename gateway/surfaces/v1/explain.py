"""``POST /v1/explain``: what a call would come to, without making it."""

from __future__ import annotations

import msgspec
from django.http import HttpRequest
from ninja import Router
from pydantic import ValidationError

from gateway.core import ids
from gateway.core.endpoint import Body, Scope, call_of, endpoint
from gateway.core.errors import BadRequest, FieldProblem
from gateway.engine.chat.explain import PassThrough, explain
from gateway.engine.chat.types import ChatRequest
from gateway.surfaces import invalid, refusals
from gateway.surfaces import problems as told
from gateway.surfaces.openai import envelope, turn
from gateway.surfaces.openai.address import addressed
from gateway.surfaces.v1.chat import translate
from gateway.surfaces.v1.schemas.chat import ChatIn
from gateway.surfaces.v1.schemas.explain import ExplainIn, ExplainOut
from gateway.surfaces.v1.schemas.requests import refusing_line

router = Router(tags=["requests"])


@router.post("/explain", response=ExplainOut, summary="What a call would come to")
@endpoint(scope=Scope.CHAT, body=Body.INFERENCE, reads=True)
async def explain_requests(request: HttpRequest, body: ExplainIn) -> ExplainOut:
    """Takes what `/v1/chat` takes, or `{"openai": …, "headers": …}`, and goes every step of the call but the model's:
    key, routing, limits, persona, policy with who set what, recall with scores, the prompt's size, the price. Nothing
    is changed or counted, except that the asking is a request like any other."""
    call = call_of(request)
    call.decided("scope", "ok", scope=Scope.CHAT.value)
    asked = _openai(body) if body.openai is not None else _native(body, len(request.body))
    found = await explain(call, asked)
    if found.error is not None:
        refusals.mark(call, found.error)
        error = told.problem(found.error, call, instance="/v1/chat")
        error.pop("decisions", None)
    else:
        error = None
    return ExplainOut(
        request_id=ids.public("req", call.request_id),
        would="refused" if found.error is not None else "allowed",
        decisions=call.decisions,
        decision=refusing_line(call.decisions),
        error=error,
        targets=[route.name for route in found.plan.routes] if found.plan is not None else [],
        prompt=found.prompt,
        price=found.price,
    )


def _native(body: ExplainIn, size: int) -> ChatRequest:
    """The turn that the same body would be at `/v1/chat`. Raises BadRequest as the call would."""
    try:
        return translate(ChatIn.model_validate(body.model_extra), size)
    except ValidationError as error:
        raise invalid.of_body(error.errors(), body.model_extra) from None


def _openai(body: ExplainIn) -> ChatRequest | PassThrough:
    """The call that this body and these headers would be. Raises BadRequest as the call would."""
    if body.model_extra:
        name = next(iter(body.model_extra))
        problem = FieldProblem(f"#/{name}", "extra_forbidden", "does not go with openai")
        raise BadRequest(f"{name}: {problem.message}", problems=(problem,))
    sent = msgspec.json.encode(body.openai)
    read = envelope.read(sent)
    address = addressed({_meta(name): value for name, value in (body.headers or {}).items()}, read)
    if address is not None:
        return turn.chat_request(sent, read, address)[0]
    if read.has_ours:
        sent = envelope.without_ours(sent)
    return PassThrough(read.model, sent, read.max_completion_tokens or read.max_tokens)


def _meta(header: str) -> str:
    return "HTTP_" + header.upper().replace("-", "_")
