"""What an organization has configured, in memory and ready to be called: one object per organization and version.

A change of a provider or an alias gives the organization the next directory version (``organization_touch``), which
reaches every worker within a second. Whoever then asks with the new version loads once; until the next change nothing
is read. Decrypted credentials exist in these objects alone, inside ``Secret``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.core import crypto
from gateway.core.crypto import Secret
from gateway.core.versioned import Versioned
from gateway.platform.providers import selectors
from gateway.platform.providers.anthropic_wire import AnthropicWire
from gateway.platform.providers.entries import ORGANIZATION, Entry
from gateway.platform.providers.openai_wire import OpenAIWire
from gateway.platform.providers.services.credentials import place
from gateway.platform.providers.stored import DEFAULT_URLS, Kind, RouteSpec, State, StoredProvider
from gateway.platform.providers.wire import timeouts_of
from tenants.context import in_tenant
from tenants.types import Organization


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The organization's providers by name and what its aliases stand for, as of ``version`` or later."""

    version: int
    entries: Mapping[str, Entry]
    aliases: Mapping[str, RouteSpec]
    stored: Mapping[str, StoredProvider]


_snapshots: Versioned[Snapshot] = Versioned("load-providers")


async def of(organization: Organization) -> Snapshot:
    """The organization's snapshot, at least as new as this view of the organization. Raises Unavailable."""
    version = organization.version
    return await _snapshots.of(
        organization.ref.id, version, lambda before: in_tenant(organization.ref, _read, version, before)
    )


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
