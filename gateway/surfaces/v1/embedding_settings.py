"""``/v1/embeddings/settings``: which model embeds what is remembered, and how far it has come."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from django.db import transaction
from django.http import HttpRequest
from ninja import Router

from gateway.core.endpoint import Scope, call_of, endpoint
from gateway.core.errors import BadRequest, FieldProblem
from gateway.core.journal import Actor
from gateway.knowledge.memory import embedding
from gateway.knowledge.memory.embedding_rows import Progress
from gateway.platform import embeddings
from gateway.platform.embeddings import trial
from gateway.platform.embeddings.errors import EmbeddingRefused, EmbeddingUnavailable, EmbeddingUnusable
from gateway.surfaces.v1.schemas.embedding import EmbeddingRetryOut, EmbeddingSettingsIn, EmbeddingSettingsOut
from tenants import services
from tenants.context import in_tenant
from tenants.directory import directory
from tenants.types import Organization, OrgRef, Principal

router = Router(tags=["memories"])


@router.get("/embeddings/settings", response=EmbeddingSettingsOut, summary="The model that embeds memories")
@endpoint(scope=Scope.PROVIDERS_READ)
async def get_embedding_settings(request: HttpRequest) -> EmbeddingSettingsOut:
    """With how many memories it has embedded, and how many it has still to."""
    principal: Principal = call_of(request).principal
    return await _shown(principal.organization)


@router.put("/embeddings/settings", response=EmbeddingSettingsOut, summary="Choose the model that embeds memories")
@endpoint(scope=Scope.PROVIDERS_WRITE)
async def put_embedding_settings(request: HttpRequest, body: EmbeddingSettingsIn) -> EmbeddingSettingsOut:
    """An endpoint is asked for one vector first, and the choice is refused when that is none. From then on queries are
    embedded by it, and every memory anew in background; recall uses each vector as soon as it is there, and words
    alone until then. What the model before made stays."""
    call = call_of(request)
    principal: Principal = call.principal
    if body.model is not None:
        await _try(principal.organization, body)
    changed = await in_tenant(principal.ref, _change, principal.ref, body, principal.actor, call.request_id)
    await directory.load()
    return await _shown(changed)


@router.post("/embeddings/retry", response=EmbeddingRetryOut, summary="Embed again what the model refused")
@endpoint(scope=Scope.PROVIDERS_WRITE)
async def retry_embeddings(request: HttpRequest) -> EmbeddingRetryOut:
    """Also looks for memories that were left behind while nobody embedded."""
    principal: Principal = call_of(request).principal
    return EmbeddingRetryOut(retried=await in_tenant(principal.ref, embedding.retry, principal.organization))


async def _try(organization: Organization, body: EmbeddingSettingsIn) -> None:
    """Refuse a choice that would embed nothing, naming the field that is wrong."""
    assert body.model is not None  # noqa: S101 - the caller looked
    try:
        await trial.trial(organization, body.model, dimensions=body.dimensions, shorten=body.shorten)
    except EmbeddingUnavailable as error:
        raise _wrong("#/model", error.detail, "embedding_unavailable") from error
    except EmbeddingUnusable as error:
        raise _wrong("#/dimensions", error.detail, "embedding_unusable") from error
    except EmbeddingRefused as error:
        raise _wrong("#/model", error.detail, "embedding_refused") from error


def _wrong(pointer: str, detail: str, reason: str) -> BadRequest:
    return BadRequest(detail, code=reason, problems=(FieldProblem(pointer, reason, detail),))


def _change(ref: OrgRef, body: EmbeddingSettingsIn, actor: Actor, request_id: UUID) -> Organization:
    """The choice, its audit entry and the mark of everything, together or not at all."""
    with transaction.atomic():
        changed = services.settings_change(
            ref,
            actor=actor,
            request_id=request_id,
            embedding_model=body.model,
            embedding_dimensions=body.dimensions if body.model else None,
            embedding_shorten=(body.shorten or None) if body.model else None,
        )
        embedding.want_everything()
    return changed


async def _shown(organization: Organization) -> EmbeddingSettingsOut:
    chosen, space = organization.settings, embeddings.active_model(organization)
    found = await in_tenant(organization.ref, embedding.progress, space) if space else Progress(0, 0, 0)
    source: Literal["built_in", "endpoint", "off"] = (
        "endpoint" if chosen.embedding_model else "built_in" if space else "off"
    )
    return EmbeddingSettingsOut(
        source=source,
        model=chosen.embedding_model,
        dimensions=chosen.embedding_dimensions,
        shorten=chosen.embedding_shorten,
        space=space,
        embedded=found.embedded,
        pending=found.pending,
        failed=found.failed,
    )
