"""An organization's own providers: created, changed, given another key, deleted. Every worker obeys within a second."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from gateway.core import clock, crypto, ids
from gateway.core.crypto import Secret
from gateway.core.errors import FieldProblem
from gateway.core.journal import Actor, Change, Event, record
from gateway.platform.providers.errors import InvalidProvider, ProviderExists, ProviderNotFound, TooManyProviders
from gateway.platform.providers.masking import last4
from gateway.platform.providers.models import ProviderRow
from gateway.platform.providers.selectors import to_provider
from gateway.platform.providers.stored import DEFAULT_URLS, Kind, State, StoredProvider
from tenants.context import current
from tenants.services import organization_touch

MAX_PROVIDERS = 50
RESERVED = "ikiro"
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*\Z")
_KEY = re.compile(r"[\x21-\x7e]{1,4096}\Z")


def provider_create(
    *,
    name: str,
    kind: Kind,
    api_key: Secret,
    actor: Actor,
    base_url: str = "",
    timeouts: Mapping[str, float] | None = None,
    request_id: UUID | None = None,
) -> StoredProvider:
    """A new provider of the organization in scope. Its address has been checked (``addresses.vet``) by the caller.

    Raises InvalidProvider, ProviderExists or TooManyProviders.
    """
    _check(name, api_key)
    row = ProviderRow(
        id=ids.uuid7(), name=name, kind=kind, base_url=base_url or DEFAULT_URLS[kind], timeouts=dict(timeouts or {})
    )
    _seal(row, api_key)
    with transaction.atomic():
        # One change of an organization's providers at a time, so that the limit and the name hold.
        organization_touch(current())
        if ProviderRow.objects.count() >= MAX_PROVIDERS:
            raise TooManyProviders(f"An organization has at most {MAX_PROVIDERS} providers; delete one first.")
        if ProviderRow.objects.filter(name=name).exists():
            told = f"There is a provider {name!r} already."
            raise ProviderExists(told, problems=(FieldProblem("#/name", "taken", told),))
        row.save(force_insert=True)
        _record("created", row, actor, request_id, kind=row.kind, base_url=row.base_url)
    return to_provider(row)


def provider_change(
    provider_id: UUID,
    *,
    actor: Actor,
    state: State | None = None,
    base_url: str | None = None,
    api_key: Secret | None = None,
    timeouts: Mapping[str, float] | None = None,
    request_id: UUID | None = None,
) -> StoredProvider:
    """Change what is given. Another address needs its key with it: the stored one is not sent to a host that it was
    not given for. Raises ProviderNotFound or InvalidProvider.
    """
    with transaction.atomic():
        row = _locked(provider_id)
        moved = base_url is not None and base_url != row.base_url
        if moved and api_key is None:
            problem = FieldProblem("#/api_key", "missing", "is needed with another base_url")
            raise InvalidProvider("Send the api_key together with another base_url.", problems=(problem,))
        if api_key is not None:
            _check(row.name, api_key)
            _seal(row, api_key)
            row.rotated_at = clock.now()
        before = row.state
        row.state = state or row.state
        row.base_url = base_url if base_url is not None else row.base_url
        row.timeouts = dict(timeouts) if timeouts is not None else row.timeouts
        row.save()
        changed = {"active": "enabled", "disabled": "disabled"}[row.state] if row.state != before else "updated"
        _record(changed, row, actor, request_id, state=row.state, base_url=row.base_url, moved=moved)
    return to_provider(row)


def provider_rotate(
    provider_id: UUID, *, api_key: Secret, actor: Actor, request_id: UUID | None = None
) -> StoredProvider:
    """Another key for the same provider. Raises ProviderNotFound or InvalidProvider."""
    with transaction.atomic():
        row = _locked(provider_id)
        _check(row.name, api_key)
        _seal(row, api_key)
        row.rotated_at = clock.now()
        row.save()
        _record("rotated", row, actor, request_id)
    return to_provider(row)


def provider_delete(provider_id: UUID, *, actor: Actor, request_id: UUID | None = None) -> StoredProvider:
    """Forget a provider and its key. Aliases that lead to it stay, and lead nowhere. Raises ProviderNotFound."""
    with transaction.atomic():
        row = _locked(provider_id)
        gone = to_provider(row)
        _record("deleted", row, actor, request_id)
        row.delete()
    return gone


def note_test(provider_id: UUID, *, actor: Actor, facts: Mapping[str, Any], request_id: UUID | None = None) -> None:
    """Audit that a provider was tried, and how it answered. Raises ProviderNotFound."""
    with transaction.atomic():
        row = ProviderRow.objects.filter(pk=provider_id).first()
        if row is None:
            raise ProviderNotFound("There is no such provider.")
        _record("tested", row, actor, request_id, **facts)


def touch(used: Mapping[UUID, datetime]) -> None:
    """Record when providers were last used; one statement for all of a flush."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE provider p SET last_used_at = u.at FROM unnest(%s::uuid[], %s::timestamptz[]) AS u(id, at)"
            " WHERE p.id = u.id AND (p.last_used_at IS NULL OR p.last_used_at < u.at)",
            [list(used), list(used.values())],
        )


def _locked(provider_id: UUID) -> ProviderRow:
    organization_touch(current())
    row: ProviderRow | None = ProviderRow.objects.select_for_update().filter(pk=provider_id).first()
    if row is None:
        raise ProviderNotFound("There is no such provider.")
    return row


def _check(name: str, api_key: Secret) -> None:
    problems = []
    if not 2 <= len(name) <= 40 or not _NAME.match(name):
        problems.append(FieldProblem("#/name", "invalid", "2 to 40 of a-z, 0-9 and single hyphens, a letter first"))
    elif name == RESERVED:
        problems.append(FieldProblem("#/name", "reserved", f"{RESERVED} is the built-in provider"))
    if not _KEY.match(api_key.reveal()):
        problems.append(FieldProblem("#/api_key", "invalid", "1 to 4,096 printable ASCII characters, no blanks"))
    if problems:
        told = "; ".join(f"{one.pointer.removeprefix('#/')}: {one.message}" for one in problems)
        raise InvalidProvider(f"{told}.", problems=tuple(problems))


def _seal(row: ProviderRow, api_key: Secret) -> None:
    row.api_key_ciphertext, row.api_key_kid = crypto.seal(api_key, *place(row.id))
    row.last4 = last4(api_key)


def place(provider_id: UUID) -> tuple[str | UUID, ...]:
    """Where a provider's key lives, for the seal: a row copied elsewhere does not open."""
    return (current().id, "provider", provider_id, "api_key")


def _record(verb: str, row: ProviderRow, actor: Actor, request_id: UUID | None, **detail: Any) -> None:
    public_id = ids.public("prv", row.id)
    change = Change(
        f"provider.{verb}", actor, public_id, request_id=request_id,
        detail={"name": row.name, "last4": row.last4, **detail},
    )  # fmt: skip
    events = [] if verb == "tested" else [Event(f"provider.{verb}", {"provider_id": public_id, "name": row.name})]
    record(change, *events)
