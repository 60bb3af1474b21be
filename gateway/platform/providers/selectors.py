"""Reads of an organization's providers and aliases."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from gateway.core.pagination import Page, page
from gateway.platform.providers.errors import AliasNotFound, ProviderNotFound
from gateway.platform.providers.models import AliasRow, ProviderRow
from gateway.platform.providers.stored import Alias, Kind, RouteSpec, State, StoredProvider


@dataclass(frozen=True, slots=True)
class Configured:
    """All that an organization has configured."""

    providers: tuple[StoredProvider, ...]
    aliases: tuple[Alias, ...]


def configured() -> Configured:
    """Everything, in two queries; the limits keep it small."""
    return Configured(
        tuple(to_provider(row) for row in ProviderRow.objects.order_by("name")),
        tuple(to_alias(row) for row in AliasRow.objects.order_by("alias")),
    )


def providers_page(*, limit: int, after: UUID | None) -> Page[StoredProvider]:
    """The organization's providers, newest first."""
    rows = ProviderRow.objects.order_by("-id")
    if after:
        rows = rows.filter(id__lt=after)
    return page([to_provider(row) for row in rows[: limit + 1]], limit)


def provider(provider_id: UUID) -> StoredProvider:
    """One provider. Raises ProviderNotFound."""
    row = ProviderRow.objects.filter(pk=provider_id).first()
    if row is None:
        raise ProviderNotFound("There is no such provider.")
    return to_provider(row)


def first_made_at() -> datetime | None:
    """When the organization's first provider was added; None while it has none."""
    return ProviderRow.objects.order_by("id").values_list("created_at", flat=True).first()


def aliases() -> tuple[Alias, ...]:
    """Every alias, by name."""
    return tuple(to_alias(row) for row in AliasRow.objects.order_by("alias"))


def alias(name: str) -> Alias:
    """One alias. Raises AliasNotFound."""
    row = AliasRow.objects.filter(pk=name).first()
    if row is None:
        raise AliasNotFound(f"There is no alias {name!r}.")
    return to_alias(row)


def to_provider(row: ProviderRow) -> StoredProvider:
    return StoredProvider(
        id=row.id,
        name=row.name,
        kind=Kind(row.kind),
        base_url=row.base_url,
        last4=row.last4,
        timeouts=tuple(sorted(row.timeouts.items())),
        state=State(row.state),
        created_at=row.created_at,
        rotated_at=row.rotated_at,
        last_used_at=row.last_used_at,
        ciphertext=bytes(row.api_key_ciphertext),
        kid=row.api_key_kid,
    )


def to_alias(row: AliasRow) -> Alias:
    route = RouteSpec.read(row.route) if row.route else RouteSpec.to(row.model)
    return Alias(row.alias, row.model, row.updated_at, route)
