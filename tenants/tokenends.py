"""Writes about capability tokens: end one, end all of a key, and let the origins of new ones be known."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F

from gateway.core import clock, ids
from gateway.core.errors import Conflict, NotFound
from gateway.core.journal import Actor, Change, record
from tenants import selectors
from tenants.capabilities import LEEWAY_S
from tenants.context import current
from tenants.epoch import next_version
from tenants.models import ApiKeyRow, EndedTokenRow, TokenOriginRow
from tenants.tokenstate import ANSWERED_FOR, KEPT
from tenants.types import ApiKey

MAX_ORIGINS = 500


def end(token_id: UUID, *, actor: Actor, request_id: UUID | None = None) -> datetime:
    """End one token of the organization in scope, on every worker within a second; when it ended. One that is over by
    itself needs no row; ending twice is the same as once. Raises NotFound for an id that can have no token yet."""
    now, org_id = clock.now(), current().id
    made = ids.created_at(token_id)
    if made + KEPT < now:
        return made + KEPT
    if made > now + timedelta(seconds=LEEWAY_S):
        raise NotFound("No such token was made.", code="token_not_found")
    rows = EndedTokenRow.objects.filter(organization_id=org_id, token_id=token_id)
    ended = rows.values_list("ended_at", flat=True)
    if (before := ended.first()) is not None:
        return before
    try:
        with transaction.atomic():
            version = next_version()
            EndedTokenRow.objects.create(organization_id=org_id, token_id=token_id, ended_at=now, version=version)
            # Never the newest row: the directory's version must not go back.
            EndedTokenRow.objects.filter(ended_at__lt=now - KEPT, version__lt=version).delete()
            record(Change("token.ended", actor, ids.public("tok", token_id), request_id=request_id))
    except IntegrityError:
        return ended.get()  # somebody else ended it at the same moment
    return now


def end_all(key_id: UUID, *, actor: Actor, request_id: UUID | None = None) -> ApiKey:
    """End every token that the key has made so far, on every worker within a second."""
    with transaction.atomic():
        rows = ApiKeyRow.objects.select_for_update().filter(organization_id=current().id, pk=key_id)
        if not rows.exists():
            raise NotFound("There is no such key.", code="key_not_found")
        rows.update(token_epoch=F("token_epoch") + 1, version=next_version())
        record(Change("key.tokens_ended", actor, ids.public("key", key_id), request_id=request_id))
        return selectors.key(current(), key_id)


def allow_origins(origins: Sequence[str]) -> None:
    """Let preflights from these origins pass for as long as tokens with them may be out. Raises Conflict beyond
    ``MAX_ORIGINS`` of one organization at a time."""
    ref, now = current(), clock.now()
    with transaction.atomic():
        version = next_version()
        rows = TokenOriginRow.objects.filter(organization_id=ref.id)
        rows.filter(used_at__lt=now - ANSWERED_FOR, version__lt=version).exclude(origin__in=origins).delete()
        if rows.exclude(origin__in=origins).count() + len(origins) > MAX_ORIGINS:
            raise Conflict(f"Tokens are out for {MAX_ORIGINS} other origins already.", code="too_many_origins")
        for origin in sorted(origins):
            TokenOriginRow.objects.update_or_create(
                organization_id=ref.id, origin=origin, defaults={"used_at": now, "version": version}
            )
