"""Which models an organization's policy allows, in memory: read once for each of its versions.

A change of the lists gives the organization the next directory version, which reaches every worker within a second. So
a pass-through call, which reads no table, obeys the policy as a persona's turn does.
"""

from __future__ import annotations

import asyncio
from uuid import UUID

from gateway.core import background
from gateway.governance.policies import selectors
from gateway.governance.policies.types import EffectivePolicy
from tenants.context import in_tenant
from tenants.types import Organization

_MOST = 2_048
_kept: dict[UUID, tuple[int, EffectivePolicy]] = {}
_loading: dict[UUID, tuple[int, asyncio.Task[EffectivePolicy]]] = {}


async def of(organization: Organization) -> EffectivePolicy:
    """The organization's own policy, at least as new as this view of the organization. Raises Unavailable."""
    known = _kept.get(organization.ref.id)
    if known is not None and known[0] >= organization.version:
        return known[1]
    key = organization.ref.id
    version, task = _loading.get(key, (-1, None))
    if task is None or task.done() or version < organization.version or task.get_loop().is_closed():
        task = background.start(_load(organization), name="load-policy")
        _loading[key] = organization.version, task
    return await asyncio.shield(task)


async def _load(organization: Organization) -> EffectivePolicy:
    key = organization.ref.id
    try:
        made = await in_tenant(organization.ref, selectors.effective)
    finally:
        if _loading.get(key, (-1, None))[0] == organization.version:
            _loading.pop(key, None)
    newest = _kept.get(key)
    if newest is not None and newest[0] > organization.version:
        return newest[1]  # a later load was faster
    _kept.pop(key, None)
    while len(_kept) >= _MOST:
        del _kept[next(iter(_kept))]  # whoever was loaded longest ago
    _kept[key] = organization.version, made
    return made
