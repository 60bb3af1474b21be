"""``/v1/documents``: what the organization itself knows. Uploaded, read into passages, cited passage by passage."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any
from uuid import UUID

from django.http import HttpRequest
from ninja import Query, Router
from ninja import Status as Answer

from gateway.core import ids
from gateway.core.endpoint import Body, Scope, call_of, endpoint
from gateway.core.errors import BadRequest, FieldProblem, Forbidden
from gateway.core.pagination import check_limit, decode_cursor
from gateway.engine.documents import selectors, services
from gateway.engine.documents.types import SOURCE, Document, Media, State
from gateway.platform.admission import gate
from gateway.platform.operations import selectors as operations
from gateway.platform.operations.types import accepted
from gateway.surfaces.parsing import decoded
from gateway.surfaces.v1.remember import parsed
from gateway.surfaces.v1.schemas.documents import (
    DocumentAccepted,
    DocumentIn,
    DocumentOut,
    DocumentPage,
    PassageOut,
    PassagePage,
)
from gateway.surfaces.v1.schemas.inline import inlined
from tenants.context import in_tenant
from tenants.types import Principal

router = Router(tags=["documents"])
_JSON = "application/json"
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_BODIES = {
    "requestBody": {
        "required": True,
        "content": {_JSON: {"schema": inlined(DocumentIn)}, **{media.value: _BINARY for media in Media}},
    }
}


@router.post(
    "/documents",
    response={202: DocumentAccepted, 200: DocumentAccepted},
    summary="Upload a document of the organization",
    openapi_extra=_BODIES,
)
@endpoint(scope=Scope.MEMORIES_WRITE, body=Body.DOCUMENT)
async def upload_documents(
    request: HttpRequest, name: Annotated[str | None, Query(max_length=200)] = None
) -> Answer[DocumentAccepted]:
    """Text, Markdown or PDF, up to 50 MB: as JSON (`{name, text, media_type?}`), or as the body itself with its
    `Content-Type` and `?name=`. It is read in the background: 202 with the operation. The same bytes again are the same
    document: 200."""
    call = call_of(request)
    principal: Principal = call.principal
    _may_touch(principal)
    media_type, named, data = _given(request, name)
    known = await in_tenant(principal.ref, services.known, principal.organization, named, media_type, data)
    if known is not None:
        return Answer(200, await _accepted(principal, known, new=False))
    await gate.count_memory_operations(call, 1, subject_id=None)
    found, new = await in_tenant(
        principal.ref,
        services.upload,
        principal.organization,
        named,
        media_type,
        data,
        actor=principal.actor,
        request_id=call.request_id,
    )
    return Answer(202 if new else 200, await _accepted(principal, found, new=new))


@router.get("/documents", response=DocumentPage, summary="List documents, newest first")
@endpoint(scope=Scope.MEMORIES_READ)
async def list_documents(
    request: HttpRequest,
    state: State | None = None,
    q: Annotated[str | None, Query(max_length=200, description="Part of the name.")] = None,
    limit: int | None = None,
    cursor: str | None = None,
) -> DocumentPage:
    check_limit(limit), decode_cursor(cursor)
    call = call_of(request)
    principal: Principal = call.principal
    _may_touch(principal)
    found = await in_tenant(
        principal.ref, selectors.page, principal.organization, state=state, text=q, limit=limit, cursor=cursor
    )
    call.read("document.listed", "documents", count=len(found.data))
    return DocumentPage.of(found)


@router.get("/documents/{document_id}", response=DocumentOut, summary="One document")
@endpoint(scope=Scope.MEMORIES_READ)
async def get_document(request: HttpRequest, document_id: str) -> DocumentOut:
    principal: Principal = call_of(request).principal
    _may_touch(principal)
    return DocumentOut.of(await in_tenant(principal.ref, selectors.get, _id(document_id), principal.organization))


@router.get("/documents/{document_id}/passages", response=PassagePage, summary="A document's passages")
@endpoint(scope=Scope.MEMORIES_READ)
async def list_passages(
    request: HttpRequest,
    document_id: str,
    first: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> PassagePage:
    """In the document's order, from number `first` on: what a citation `org_kb://doc_…#7` points to is number 7."""
    call = call_of(request)
    _may_touch(call.principal)
    found = await in_tenant(call.principal.ref, selectors.passages, _id(document_id), first=first, limit=limit + 1)
    call.read("document.read", document_id, first=first, count=min(limit, len(found)))
    more = found[limit].position if len(found) > limit else None
    return PassagePage(data=[PassageOut.of(one) for one in found[:limit]], next_first=more)


@router.post("/documents/{document_id}/retry", response={202: DocumentAccepted}, summary="Do again what failed")
@endpoint(scope=Scope.MEMORIES_WRITE)
async def retry_document(request: HttpRequest, document_id: str) -> Answer[DocumentAccepted]:
    """A document that could not be read is read again, by the operation. Of one that is ready, the passages whose
    embedding failed are embedded again, without an operation. 409 where nothing failed."""
    principal: Principal = call_of(request).principal
    return await _sent(request, partial(services.retry, principal.organization), document_id)


@router.delete("/documents/{document_id}", response={202: DocumentAccepted}, summary="Forget a document")
@endpoint(scope=Scope.MEMORIES_WRITE)
async def forget_document(request: HttpRequest, document_id: str) -> Answer[DocumentAccepted]:
    """Its passages are forgotten one after the other, by the operation; what another document says in the same words
    stays."""
    return await _sent(request, services.remove, document_id)


async def _sent(request: HttpRequest, work: Any, document_id: str) -> Answer[DocumentAccepted]:
    call = call_of(request)
    principal: Principal = call.principal
    _may_touch(principal)
    found = await in_tenant(principal.ref, work, _id(document_id), actor=principal.actor, request_id=call.request_id)
    return Answer(202, await _accepted(principal, found, new=True))


async def _accepted(principal: Principal, found: Document, *, new: bool) -> DocumentAccepted:
    shown = None
    if new and found.operation_id is not None and found.state != State.READY:
        operation = await in_tenant(principal.ref, operations.get, found.operation_id)
        shown = accepted(operation)["operation"]
    return DocumentAccepted(document=DocumentOut.of(found), deduplicated=not new, operation=shown)


def _given(request: HttpRequest, name: str | None) -> tuple[str, str, bytes]:
    """(media type, name, bytes). Raises BadRequest."""
    media_type = request.content_type or ""
    if media_type == _JSON:
        body = parsed(DocumentIn, decoded(request.body))
        return body.media_type.value, body.name, body.text.encode("utf-8", "replace")
    if media_type not in list(Media):
        told = f"Send application/json, or the document itself as {', '.join(Media)}; not {media_type or 'nothing'}."
        raise BadRequest(told, code="unsupported_media_type")
    if name is None:
        problem = FieldProblem("#/query/name", "missing", "is required where the body is the document itself")
        raise BadRequest(f"name {problem.message}.", problems=(problem,))
    return media_type, name, request.body


def _id(document_id: str) -> UUID:
    return ids.parse("doc", document_id)


def _may_touch(principal: Principal) -> None:
    """What the organization knows is nobody's own: a key for some subjects, or for other collections, has no part in
    it."""
    if principal.grant.subject_ids is not None:
        told = "This key acts for some subjects only; documents belong to the organization."
        raise Forbidden(told, code="subject_not_allowed")
    principal.require_memory_scopes((SOURCE,))
