"""``GET /v1/subjects/{id}/export``: all that is kept about a subject, with where it came from."""

from __future__ import annotations

import json
import tempfile
from collections.abc import AsyncIterator
from typing import IO, Literal

from django.db import connection, transaction
from django.http import HttpRequest, StreamingHttpResponse
from ninja import Router

from gateway.core import clock
from gateway.core.endpoint import Scope, call_of, endpoint
from gateway.core.subjectdata import Target
from gateway.engine.erasure import parts
from gateway.knowledge.subjects import selectors
from gateway.surfaces.v1.schemas.subjects import SubjectOut
from gateway.surfaces.v1.subjects import sees_everything
from tenants.context import in_tenant
from tenants.types import Principal

router = Router(tags=["subjects"])
# A larger export is put together on disk.
_IN_MEMORY, _CHUNK = 4 * 1024 * 1024, 256 * 1024
_TYPES = {"json": "application/json", "ndjson": "application/x-ndjson"}
_SHOWN = {
    200: {
        "description": "The subject, then one entry after the other, each with its `type`.",
        "content": {
            "application/json": {"schema": {"type": "object"}},
            "application/x-ndjson": {"schema": {"type": "string"}},
        },
    }
}


@router.get(
    "/subjects/{subject_id}/export",
    summary="All that is kept about a subject",
    openapi_extra={"responses": _SHOWN},
)
@endpoint(scope=Scope.MEMORIES_READ)
async def export_subject(
    request: HttpRequest,
    subject_id: str,
    format: Literal["json", "ndjson"] = "json",  # noqa: A002 - the wire's name
) -> StreamingHttpResponse:
    """One moment's state: the subject, memories with all sources and their history, consents, boundaries,
    conversations, proposals, relationships, the ids of its requests. Each entry has a `type`; with `format=ndjson` one
    per line. Needs `conversations:read` too, and a key that is narrowed to no persona or memory scope; audited."""
    call = call_of(request)
    principal: Principal = call.principal
    principal.require_subject(subject_id)
    sees_everything(principal, Scope.CONVERSATIONS_READ)
    spool, count = await in_tenant(principal.ref, _written, subject_id, format)
    call.read("subject.exported", f"subject:{subject_id}", subject_id=subject_id, entries=count)
    response = StreamingHttpResponse(_chunks(spool), content_type=_TYPES[format])
    response["Cache-Control"] = "no-store"
    response["Content-Disposition"] = f'attachment; filename="subject.{format}"'
    return response


def _written(subject_id: str, form: str) -> tuple[IO[bytes], int]:
    """(the export, how many entries). One snapshot of the database, so that it agrees with itself. Raises
    SubjectNotFound."""
    spool: IO[bytes] = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - closed by whoever sends it
    count = 0
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        subject = selectors.get(subject_id)
        first = SubjectOut.of(subject).model_dump(mode="json")
        if form == "json":
            head = {"subject": first, "exported_at": clock.now().isoformat()}
            spool.write(json.dumps(head, ensure_ascii=False)[:-1].encode() + b', "data": [')
        else:
            spool.write(json.dumps({"type": "subject", **first}, ensure_ascii=False).encode() + b"\n")
        for line in parts.lines(Target(subject.pk, subject.id)):
            text = json.dumps(line, ensure_ascii=False).encode()
            if form == "ndjson":
                spool.write(text + b"\n")
            else:
                spool.write((b",\n" if count else b"\n") + text)
            count += 1
    if form == "json":
        spool.write(b"\n]}\n")
    spool.seek(0)
    return spool, count


async def _chunks(spool: IO[bytes]) -> AsyncIterator[bytes]:
    with spool:
        while chunk := spool.read(_CHUNK):
            yield chunk
