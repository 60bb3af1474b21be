"""What can be wrong with an overlay. A refusal *by* policy is ``Forbidden`` with code ``policy_refused``
(``types``)."""

from __future__ import annotations

from gateway.core.errors import BadRequest, Conflict, FieldProblem, NotFound


class OverlayConflict(Conflict):
    default_code = "version_conflict"


class OverlayNotFound(NotFound):
    default_code = "overlay_not_found"


class InvalidOverlay(BadRequest):
    default_code = "invalid_overlay"

    def __init__(self, problems: list[FieldProblem]) -> None:
        super().__init__(
            "; ".join(f"{p.pointer.removeprefix('#/')}: {p.message}" for p in problems) + ".", problems=tuple(problems)
        )
