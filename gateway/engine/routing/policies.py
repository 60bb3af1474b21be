"""Which models an organization's policy allows a caller, or would were its overlays in shadow in force, in memory: read
once for each of its versions.

A change of the lists gives the organization the next directory version, which reaches every worker within a second. So
a pass-through call, which reads no table, obeys the policy of the organization and of the key's teams as a persona's
turn does.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.core.versioned import Versioned
from gateway.governance.policies import selectors, shadows
from gateway.governance.policies.merge import merge
from gateway.governance.policies.shadows import Shadow
from gateway.governance.policies.types import EffectivePolicy, Level, Overlay
from tenants.context import in_tenant
from tenants.types import Principal

_MOST_TEAMS = 1_000


@dataclass(slots=True)
class _Shared:
    """The overlays of the organization and its teams, and what they come to for each set of teams asked about."""

    overlays: list[Overlay]
    merged: dict[tuple[str, ...], tuple[EffectivePolicy, Shadow | None]] = field(default_factory=dict)

    def of(self, teams: tuple[str, ...]) -> tuple[EffectivePolicy, Shadow | None]:
        found = self.merged.get(teams)
        if found is None:
            if len(self.merged) >= _MOST_TEAMS:
                self.merged.clear()
            overlays = [one for one in self.overlays if one.level is Level.ORG or one.target in teams]
            policy, shadow = merge(overlays), shadows.of(overlays)
            if shadow is not None and _models(shadow.policy) == _models(policy):
                shadow = None
            found = self.merged[teams] = policy, shadow
        return found


_policies: Versioned[_Shared] = Versioned("load-policy")


async def of(principal: Principal) -> EffectivePolicy:
    """What binds this caller whoever the call is about, at least as new as its view of the organization. Raises
    Unavailable."""
    policy, _ = await _known(principal)
    return policy


async def shadow(principal: Principal) -> Shadow | None:
    """What would bind this caller, were the overlays in shadow in force; None where those leave the models that it may
    use as they are. Raises Unavailable."""
    _, found = await _known(principal)
    return found


async def _known(principal: Principal) -> tuple[EffectivePolicy, Shadow | None]:
    organization = principal.organization
    known = await _policies.of(organization.ref.id, organization.version, lambda _: in_tenant(organization.ref, _read))
    return known.of(principal.grant.team_ids)


def _models(policy: EffectivePolicy) -> tuple[object, ...]:
    return policy.allowed_models, policy.denied_models


def _read() -> _Shared:
    return _Shared(selectors.of_teams())
