"""Golden prompts before a publish: where a persona asks for it, only what was asked and was not off is published."""

from __future__ import annotations

from gateway.engine.consistency import selectors
from gateway.engine.consistency.errors import ConsistencyRequired
from gateway.engine.consistency.models import GoldenSetRow
from gateway.knowledge.personas import gates


def register() -> None:
    """Stand at the personas' gate."""
    gates.register(require)


def require(persona_id: str, digest: str) -> None:
    """Whether the document of this digest may be published. Raises ConsistencyRequired, saying what its last run
    found."""
    row = GoldenSetRow.objects.filter(persona_id=persona_id, required=True).first()
    if row is None:
        return
    last = selectors.draft_standing(persona_id, digest)
    if last is None:
        raise ConsistencyRequired(
            "This persona is published only after its golden prompts were asked of the draft. Ask them with"
            f' POST /v1/personas/{persona_id}/consistency-runs {{"target": "draft"}}.',
            extra={"run_id": None, "drift_percent": None, "tolerance_percent": row.tolerance_percent},
        )
    drift = last.drift_percent
    if drift is None or drift > row.tolerance_percent:
        raise ConsistencyRequired(
            f"The draft is {drift} % off the persona's voice, and {row.tolerance_percent} % are tolerated.",
            extra={"run_id": last.public_id, "drift_percent": drift, "tolerance_percent": row.tolerance_percent},
        )
