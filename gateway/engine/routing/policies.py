"""Which models an organization's policy allows, in memory: read once for each of its versions.

A change of the lists gives the organization the next directory version, which reaches every worker within a second. So
a pass-through call, which reads no table, obeys the policy as a persona's turn does.
"""

from __future__ import annotations

from gateway.core.versioned import Versioned
from gateway.governance.policies import selectors
from gateway.governance.policies.types import EffectivePolicy
from tenants.context import in_tenant
from tenants.types import Organization

_policies: Versioned[EffectivePolicy] = Versioned("load-policy")


async def of(organization: Organization) -> EffectivePolicy:
    """The organization's own policy, at least as new as this view of the organization. Raises Unavailable."""
    return await _policies.of(
        organization.ref.id, organization.version, lambda _: in_tenant(organization.ref, selectors.effective)
    )
