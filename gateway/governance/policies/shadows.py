"""What policy would be, were the overlays in shadow in force. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gateway.governance.policies.merge import merge
from gateway.governance.policies.terms import Mode, Overlay, RequestedPolicy
from gateway.governance.policies.types import EffectivePolicy


@dataclass(frozen=True, slots=True)
class Shadow:
    """The policy as it would be, and the overlays in shadow that would make it so; at least one."""

    policy: EffectivePolicy
    overlays: tuple[Overlay, ...]


def of(
    overlays: Sequence[Overlay],
    *,
    persona_do: Sequence[str] = (),
    persona_dont: Sequence[str] = (),
    request: RequestedPolicy | None = None,
) -> Shadow | None:
    """What ``merge`` would come to with every overlay in shadow in the place of the one in force of its level and
    target; None, and nothing is merged, where none is in shadow."""
    shadows = tuple(overlay for overlay in overlays if overlay.mode is Mode.SHADOW)
    if not shadows:
        return None
    policy = merge(promoted(overlays), persona_do=persona_do, persona_dont=persona_dont, request=request)
    return Shadow(policy, shadows)


def promoted(overlays: Sequence[Overlay]) -> list[Overlay]:
    """The overlays as they would be in force, each in shadow in the place of what it replaces."""
    shadows = [replace(overlay, mode=Mode.ENFORCE) for overlay in overlays if overlay.mode is Mode.SHADOW]
    replaced = {(overlay.level, overlay.target) for overlay in shadows}
    others = [one for one in overlays if one.mode is Mode.ENFORCE and (one.level, one.target) not in replaced]
    return [*others, *shadows]
