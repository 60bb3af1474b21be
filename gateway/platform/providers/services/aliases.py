"""An organization's short names for models."""

from __future__ import annotations

import re
from uuid import UUID

from django.db import transaction

from gateway.core import clock
from gateway.core.errors import FieldProblem
from gateway.core.journal import Actor, Change, record
from gateway.platform.providers.errors import AliasNotFound, InvalidAlias, TooManyAliases
from gateway.platform.providers.models import AliasRow
from gateway.platform.providers.selectors import to_alias
from gateway.platform.providers.stored import Alias
from tenants.context import current
from tenants.services import organization_touch

MAX_ALIASES = 200
_ALIAS = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@+-]{0,127}\Z")
_MODEL = re.compile(r"[a-z][a-z0-9-]{1,39}/[\x21-\x7e]{1,200}\Z")


def alias_set(alias: str, model: str, *, actor: Actor, request_id: UUID | None = None) -> Alias:
    """Let ``alias`` stand for ``model`` from now on. Raises InvalidAlias or TooManyAliases."""
    _check(alias, model)
    with transaction.atomic():
        organization_touch(current())
        row = AliasRow.objects.filter(pk=alias).first()
        if row is None and AliasRow.objects.count() >= MAX_ALIASES:
            raise TooManyAliases(f"An organization has at most {MAX_ALIASES} aliases; remove one first.")
        before = row.model if row else None
        row = row or AliasRow(alias=alias)
        row.model, row.updated_at = model, clock.now()
        row.save()
        detail = {"model": model, "before": before}
        record(Change("alias.set", actor, alias, request_id=request_id, detail=detail))
    return to_alias(row)


def alias_remove(alias: str, *, actor: Actor, request_id: UUID | None = None) -> Alias:
    """Let ``alias`` stand for nothing. Raises AliasNotFound."""
    with transaction.atomic():
        organization_touch(current())
        row = AliasRow.objects.filter(pk=alias).first()
        if row is None:
            raise AliasNotFound(f"There is no alias {alias!r}.")
        gone = to_alias(row)
        row.delete()
        record(Change("alias.removed", actor, alias, request_id=request_id, detail={"model": gone.model}))
    return gone


def _check(alias: str, model: str) -> None:
    problems = []
    if not _ALIAS.match(alias):
        problems.append(FieldProblem("#/path/alias", "invalid", "up to 128 of A-Z, a-z, 0-9, . _ : @ + -, no slash"))
    if not _MODEL.match(model):
        problems.append(FieldProblem("#/model", "invalid", "a full name, provider/model; an alias is not followed"))
    if problems:
        told = "; ".join(f"{one.pointer.rpartition('/')[2]}: {one.message}" for one in problems)
        raise InvalidAlias(f"{told}.", problems=tuple(problems))
