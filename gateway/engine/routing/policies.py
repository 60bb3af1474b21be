"""What an organization's policy says of a caller whoever the call is about, or would were its overlays in shadow in
force, in memory: read once for each of its versions.

A change of it gives the organization the next directory version, which reaches every worker within a second. So a
pass-through call, which reads no table, obeys the policy of the organization and of the key's teams.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.core.versioned import Versioned
from gateway.governance.policies import bare, selectors, shadows
from gateway.governance.policies.merge import merge
from gateway.governance.policies.types import EffectivePolicy, Level, Mode, Overlay
from tenants.context import in_tenant
from tenants.types import Principal

_MOST_TEAMS = 1_000


@dataclass(frozen=True, slots=True)
class Bound:
    """``policy`` is all that the overlays come to; ``locks`` what a call to a bare model is held to
    (``policies.bare``), None where that is nothing."""

    policy: EffectivePolicy
    locks: EffectivePolicy | None

    @classmethod
    def of(cls, overlays: Sequence[Overlay]) -> Bound:
        """What those of these that are in force come to."""
        return cls(merge(overlays), bare.locks(overlays))

    def decides_as(self, other: Bound) -> bool:
        """Whether a call to a bare model could be decided no otherwise under the other one."""
        return _models(self.policy) == _models(other.policy) and self.locks == other.locks


@dataclass(frozen=True, slots=True)
class Shadowed:
    """What would bind, and the overlays in shadow that would make it so."""

    bound: Bound
    overlays: tuple[Overlay, ...]


@dataclass(slots=True)
class _Shared:
    """The overlays of the organization and its teams, and what they come to for each set of teams asked about."""

    overlays: list[Overlay]
    merged: dict[tuple[str, ...], tuple[Bound, Shadowed | None]] = field(default_factory=dict)

    def of(self, teams: tuple[str, ...]) -> tuple[Bound, Shadowed | None]:
        found = self.merged.get(teams)
        if found is None:
            if len(self.merged) >= _MOST_TEAMS:
                self.merged.clear()
            found = self.merged[teams] = self._merge(teams)
        return found

    def _merge(self, teams: tuple[str, ...]) -> tuple[Bound, Shadowed | None]:
        overlays = [one for one in self.overlays if one.level is Level.ORG or one.target in teams]
        now, shadow = Bound.of(overlays), tuple(one for one in overlays if one.mode is Mode.SHADOW)
        if not shadow:
            return now, None
        would = Bound.of(shadows.promoted(overlays))
        return now, None if would.decides_as(now) else Shadowed(would, shadow)


_policies: Versioned[_Shared] = Versioned("load-policy")


async def bound(principal: Principal) -> Bound:
    """What binds this caller whoever the call is about, at least as new as its view of the organization. Raises
    Unavailable."""
    found, _ = await _known(principal)
    return found


async def shadow(principal: Principal) -> Shadowed | None:
    """What would bind this caller, were the overlays in shadow in force; None where those leave what a call to a bare
    model is decided by as it is. Raises Unavailable."""
    _, found = await _known(principal)
    return found


async def by_model_alone(principal: Principal) -> bool:
    """Whether overlays decide of a call to a bare model by its model alone: no lock asks for its body, and none in
    shadow has to be told of. Raises Unavailable."""
    found, shadowed = await _known(principal)
    return found.locks is None and shadowed is None


async def _known(principal: Principal) -> tuple[Bound, Shadowed | None]:
    organization = principal.organization
    known = await _policies.of(organization.ref.id, organization.version, lambda _: in_tenant(organization.ref, _read))
    return known.of(principal.grant.team_ids)


def _models(policy: EffectivePolicy) -> tuple[object, ...]:
    return policy.allowed_models, policy.denied_models


def _read() -> _Shared:
    return _Shared(selectors.of_teams())
