"""The kept bodies of a request, and running it again."""

from __future__ import annotations

import inspect
import io
import json
from typing import Any
from uuid import UUID

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import get_resolver
from ninja import Router

from gateway.core import ids
from gateway.core.endpoint import Metering, Scope, call_of, endpoint
from gateway.core.errors import BadRequest, FieldProblem, Forbidden
from gateway.platform.requests import selectors as records
from gateway.platform.requests.errors import BodyTruncated, NoBody
from gateway.platform.requests.types import Body, Part
from gateway.surfaces.bodies.keeping import ADDRESSING
from gateway.surfaces.routes import endpoint_at
from gateway.surfaces.v1.requests import visible_request
from gateway.surfaces.v1.schemas.requests import ReplayIn, RequestBodiesOut, RequestBodyPartOut
from tenants.context import in_tenant
from tenants.people.roles import Role
from tenants.types import Principal

router = Router(tags=["requests"])
_READERS = frozenset({Role.OWNER, Role.ADMIN, Role.DEVELOPER})
# Never taken over from whoever replays: they belong to the outer request, or are the stored one's own.
_OUTER = frozenset({"content-length", "content-type", "idempotency-key", "last-event-id", *ADDRESSING})


@router.get("/requests/{request_id}/body", response=RequestBodiesOut, summary="What was sent and answered")
@endpoint(scope=Scope.REQUESTS_READ)
async def get_body_requests(request: HttpRequest, request_id: str) -> RequestBodiesOut:
    """Only where the organization keeps bodies (`store_bodies`), after masking, and until they expire. Of an answer
    that was streamed, its texts put together. For owners, admins, developers and keys; each look is audited."""
    call = call_of(request)
    shown, found = await _kept(call.principal, ids.parse("req", request_id))
    if not found:
        raise _no_body()
    call.read("request.body_read", request_id, subject_id=shown.subject_id, persona_id=shown.persona_id)
    return RequestBodiesOut(
        request_id=request_id,
        parts=[
            RequestBodyPartOut(
                part=one.part,
                path=one.path,
                content_type=one.content_type,
                size=one.size,
                truncated=one.truncated,
                expires_at=one.expires_at,
                body=one.text,
            )
            for one in found
        ],
    )


@router.post("/requests/{request_id}/replay", summary="Run a request again")
@endpoint(scope=Scope.REQUESTS_READ)
async def replay_requests(request: HttpRequest, request_id: str, body: ReplayIn) -> HttpResponseBase:
    """The kept request, as it was masked, through the same operation again: under the caller's own scopes, limits and
    budget, priced like any other. The answer is the new one; `parent_id` of its request is this request."""
    call = call_of(request)
    parent = ids.parse("req", request_id)
    shown, found = await _kept(call.principal, parent)
    sent = next((one for one in found if one.part == Part.REQUEST), None)
    if sent is None:
        raise _no_body()
    if sent.truncated:
        raise BodyTruncated("Only a part of this request was kept, so it cannot run again.")
    declared = endpoint_at(sent.path)
    if declared is None or declared.metering is not Metering.CALL:
        raise NoBody("What answered this request is no longer there.")
    call.read("request.replayed", request_id, subject_id=shown.subject_id, persona_id=shown.persona_id)
    inner = _again(request, sent, _changed(sent, body), parent)
    match = get_resolver().resolve(sent.path)
    response: Any = match.func(inner, **match.kwargs)
    if inspect.isawaitable(response):
        response = await response
    # To the caller the two are one request: the new one.
    call.request_id, call.headers = inner.call.request_id, inner.call.headers  # type: ignore[attr-defined]
    return response  # type: ignore[no-any-return]


async def _kept(principal: Principal, request_id: UUID) -> tuple[Any, tuple[Body, ...]]:
    """The request and its kept bodies, for whoever may see content. Raises NotFound, Forbidden."""
    if principal.role is not None and principal.role not in _READERS:
        allowed = ", ".join(sorted(_READERS))
        raise Forbidden(f"What was said in a request is for {allowed}.", code="role_not_allowed")
    shown = await visible_request(principal, request_id)
    return shown, await in_tenant(principal.ref, records.bodies, request_id)


def _no_body() -> NoBody:
    return NoBody(
        "This request's body was not kept, or no longer is; see PATCH /v1/organization/settings store_bodies."
    )


def _changed(sent: Body, wish: ReplayIn) -> bytes:
    """The stored body with what the caller wants otherwise. Raises BadRequest for a version where no persona speaks."""
    fields = json.loads(sent.text)
    if "subject_id" in fields and sent.subject_id is not None:
        fields["subject_id"] = sent.subject_id  # a strict mask takes an address for what it is
    if wish.model is not None:
        fields["model"] = wish.model
    if wish.persona_version is not None:
        if sent.persona_id is None:
            problem = FieldProblem("#/persona_version", "invalid", "no persona answered this request")
            raise BadRequest(f"persona_version: {problem.message}.", problems=(problem,))
        fields["persona_version"] = wish.persona_version
        fields.pop("conversation_id", None)  # it is pinned to another version
    return json.dumps(fields, ensure_ascii=False).encode()


def _again(request: HttpRequest, sent: Body, payload: bytes, parent: UUID) -> ASGIRequest:
    """The stored request as if it had just arrived from this caller."""
    outer: dict[str, Any] = request.scope  # type: ignore[attr-defined]
    headers = [pair for pair in outer["headers"] if pair[0].decode("latin1").lower() not in _OUTER]
    headers += [(name.encode("ascii"), value.encode()) for name, value in sent.headers.items()]
    headers += [(b"content-type", b"application/json"), (b"content-length", str(len(payload)).encode())]
    scope = {**outer, "method": "POST", "path": sent.path, "raw_path": sent.path.encode(), "query_string": b""}
    inner = ASGIRequest({**scope, "headers": headers}, io.BytesIO(payload))
    inner._body = payload
    inner.body_error = None  # type: ignore[attr-defined]
    inner.replay_of = parent  # type: ignore[attr-defined]
    return inner
