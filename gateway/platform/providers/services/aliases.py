"""An organization's short names: for a model, or for a route over several."""

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
from gateway.platform.providers.stored import Alias, RouteSpec
from tenants.context import current
from tenants.services import organization_touch

MAX_ALIASES, MAX_TARGETS, MAX_WEIGHT = 200, 8, 1_000
_ALIAS = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@+-]{0,127}\Z")
_MODEL = re.compile(r"[a-z][a-z0-9-]{1,39}/[\x21-\x7e]{1,200}\Z")


def alias_set(alias: str, route: RouteSpec | str, *, actor: Actor, request_id: UUID | None = None) -> Alias:
    """Let ``alias`` stand for ``route`` (or the one model of that name) from now on. Raises InvalidAlias or
    TooManyAliases."""
    spec = RouteSpec.to(route) if isinstance(route, str) else route
    _check(alias, spec, plain=isinstance(route, str))
    with transaction.atomic():
        organization_touch(current())
        row = AliasRow.objects.filter(pk=alias).first()
        if row is None and AliasRow.objects.count() >= MAX_ALIASES:
            raise TooManyAliases(f"An organization has at most {MAX_ALIASES} aliases; remove one first.")
        before = row.model if row else None
        row = row or AliasRow(alias=alias)
        row.model, row.updated_at = spec.targets[0].model, clock.now()
        row.route = None if spec == RouteSpec.to(row.model) else spec.stored()
        row.save()
        detail = {"model": row.model, "before": before, **({"route": row.route} if row.route else {})}
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


def _check(alias: str, spec: RouteSpec, *, plain: bool) -> None:
    problems = []
    if not _ALIAS.match(alias):
        problems.append(FieldProblem("#/path/alias", "invalid", "up to 128 of A-Z, a-z, 0-9, . _ : @ + -, no slash"))
    problems += [
        FieldProblem(pointer, "invalid", "a full name, provider/model; an alias is not followed")
        for pointer, model in pointers(spec, plain=plain)
        if not _MODEL.match(model)
    ]
    if not spec.targets or len(spec.models) > MAX_TARGETS:
        problems.append(FieldProblem("#/targets", "invalid", f"1 to {MAX_TARGETS} models, fallbacks included"))
    if len(set(spec.models)) != len(spec.models):
        problems.append(FieldProblem("#/targets", "duplicate", "each model once"))
    if not all(1 <= target.weight <= MAX_WEIGHT for target in spec.targets):
        problems.append(FieldProblem("#/targets", "out_of_range", f"weights are 1 to {MAX_WEIGHT}"))
    if problems:
        told = "; ".join(f"{one.pointer.removeprefix('#/path/').removeprefix('#/')}: {one.message}" for one in problems)
        raise InvalidAlias(f"{told}.", problems=tuple(problems))


def pointers(spec: RouteSpec, *, plain: bool) -> list[tuple[str, str]]:
    """(where it stands in the body, the model) of each model of a route; ``plain``: the body names one ``model``."""
    if plain:
        targets = [("#/model", spec.targets[0].model)]
    else:
        targets = [(f"#/targets/{at}/model", target.model) for at, target in enumerate(spec.targets)]
    return targets + [(f"#/fallbacks/{at}", model) for at, model in enumerate(spec.fallbacks)]
