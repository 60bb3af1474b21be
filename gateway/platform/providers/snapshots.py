"""What an organization has configured, in memory and ready to be called: one object per organization and version.

A change of a provider or an alias gives the organization the next directory version (``organization_touch``), which
reaches every worker within a second. Whoever then asks with the new version loads once; until the next change nothing
is read. Decrypted credentials exist in these objects alone, inside ``Secret``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from gateway.core import background, crypto
from gateway.core.crypto import Secret
from gateway.platform.providers import selectors
from gateway.platform.providers.anthropic_wire import AnthropicWire
from gateway.platform.providers.entries import ORGANIZATION, Entry
from gateway.platform.providers.openai_wire import OpenAIWire
from gateway.platform.providers.services.credentials import place
from gateway.platform.providers.stored import DEFAULT_URLS, Kind, RouteSpec, State, StoredProvider
from gateway.platform.providers.wire import timeouts_of
from tenants.context import in_tenant
from tenants.types import Organization

MOST = 2_048


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The organization's providers by name and what its aliases stand for, as of ``version`` or later."""

    version: int
    entries: Mapping[str, Entry]
    aliases: Mapping[str, RouteSpec]
    stored: Mapping[str, StoredProvider]


_kept: dict[UUID, Snapshot] = {}
_loading: dict[UUID, tuple[int, asyncio.Task[Snapshot]]] = {}


async def of(organization: Organization) -> Snapshot:
    """The organization's snapshot, at least as new as this view of the organization. Raises Unavailable."""
    known = _kept.get(organization.ref.id)
    if known is not None and known.version >= organization.version:
        return known
    return await _loaded(organization)


async def _loaded(organization: Organization) -> Snapshot:
    """Load once for all who ask at the same time for the same version."""
    key = organization.ref.id
    version, task = _loading.get(key, (-1, None))
    if task is None or task.done() or version < organization.version:
        task = background.start(_load(organization), name="load-providers")
        _loading[key] = organization.version, task
    return await asyncio.shield(task)


async def _load(organization: Organization) -> Snapshot:
    key, known = organization.ref.id, _kept.get(organization.ref.id)
    try:
        made = await in_tenant(organization.ref, _read, organization.version, known)
    finally:
        if _loading.get(key, (-1, None))[0] == organization.version:
            _loading.pop(key, None)
    newest = _kept.get(key)
    if newest is not None and newest.version > made.version:
        return newest  # a later load was faster
    _kept.pop(key, None)
    while len(_kept) >= MOST:
        del _kept[next(iter(_kept))]  # whoever was loaded longest ago
    _kept[key] = made
    return made


def _read(version: int, before: Snapshot | None) -> Snapshot:
    """Read and decrypt. What has not changed since ``before`` keeps its connections' owner and its list of models."""
    found = selectors.configured()
    entries: dict[str, Entry] = {}
    for stored in found.providers:
        same = before is not None and before.stored.get(stored.name) == stored
        entries[stored.name] = before.entries[stored.name] if same and before is not None else entry_of(stored)
    return Snapshot(
        version,
        entries,
        {one.alias: one.route for one in found.aliases},
        {stored.name: stored for stored in found.providers},
    )


def entry_of(stored: StoredProvider) -> Entry:
    """A provider ready to be called, in the scope of its organization."""
    problem = "disabled" if stored.state is State.DISABLED else None
    key = Secret("")
    if problem is None:
        try:
            key = crypto.unseal(stored.ciphertext, stored.kid, *place(stored.id))
        except crypto.Unreadable as error:
            problem = error.detail
    wire: type[OpenAIWire] | type[AnthropicWire] = OpenAIWire if stored.kind is Kind.OPENAI else AnthropicWire
    made = wire(
        name=stored.name,
        base_url=stored.base_url,
        api_key=key,
        trusted=False,
        timeouts=timeouts_of(dict(stored.timeouts)),
    )
    price_as = stored.kind.value if stored.base_url == DEFAULT_URLS[stored.kind] else stored.base_url
    return Entry(made, ORGANIZATION, price_as, stored.id, problem)
