"""Golden prompts before a publish: where a persona asks for it, only what was asked and was not off is published.

A run counts when it asked this document what the golden prompts ask, of the models that they name, and lacks nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from gateway.engine.consistency import selectors
from gateway.engine.consistency.errors import ConsistencyRequired
from gateway.engine.consistency.models import GoldenSetRow
from gateway.engine.consistency.types import GoldenSet, Lack, Run, asked_digest
from gateway.knowledge.personas import gates

# (machine-readable reason, what is wrong)
_Wrong = tuple[str, str]
_LACKS = {
    Lack.ANSWER: ("unanswered", "{count} of {total} prompts got no answer ({code})"),
    Lack.SIMILARITY: (
        "not_compared",
        "{count} of {total} answers could not be compared with what they are held against ({code})",
    ),
    Lack.JUDGE: ("not_judged", "{judge} gave no opinion of {count} of {total} answers ({code})"),
}


def register() -> None:
    """Stand at the personas' gate."""
    gates.register(require)


def require(persona_id: str, digest: str) -> None:
    """Whether the document of this digest may be published. Raises ConsistencyRequired, saying what its last run lacks
    or found."""
    row = GoldenSetRow.objects.filter(persona_id=persona_id, required=True).first()
    if row is None:
        return
    golden = selectors.to_set(row)
    wanted = asked_digest(golden.prompts, golden.model, golden.judge_model)
    last = selectors.draft_standing(persona_id, digest, asked=wanted)
    if last is not None:
        wrong = [*_lacking(last), *_off(last, golden)]
    elif (last := selectors.draft_standing(persona_id, digest)) is not None:
        wrong = list(_otherwise(last, golden))
    else:
        wrong = [("not_asked", "this document was not asked them")]
    if wrong:
        raise _refusal(golden, last, wrong)


def _lacking(run: Run) -> Iterator[_Wrong]:
    for one in run.missing:
        reason, told = _LACKS[one.what]
        yield reason, told.format(count=one.count, total=run.total, code=one.code, judge=run.judge_model)


def _off(run: Run, golden: GoldenSet) -> Iterator[_Wrong]:
    drift = run.drift_percent
    if drift is not None and drift > golden.tolerance_percent:
        yield "off", f"it is {drift} % off the persona's voice, and {golden.tolerance_percent} % are tolerated"
    elif drift is None and not run.missing:
        yield "not_scored", "nothing could be told of its answers"


def _otherwise(run: Run, golden: GoldenSet) -> Iterator[_Wrong]:
    """What the last run of the document asked that the golden prompts do not."""
    if run.model != golden.model:
        yield "other_model", f"{run.model} answered, and the golden prompts name {golden.model}"
    if run.judge_model != golden.judge_model:
        judges = run.judge_model or "nobody", golden.judge_model or "nobody"
        yield "other_judge", f"{judges[0]} judged, and the golden prompts name {judges[1]}"
    if asked_digest(golden.prompts, run.model, run.judge_model) != run.asked_digest:
        yield "other_prompts", "the golden prompts were changed since they were asked"


def _refusal(golden: GoldenSet, last: Run | None, wrong: list[_Wrong]) -> ConsistencyRequired:
    reasons = [reason for reason, _ in wrong]
    change = "Change the draft, then ask" if "off" in reasons else "Ask"
    return ConsistencyRequired(
        f"This persona is published only in its voice: {'; '.join(told for _, told in wrong)}. {change} its golden"
        f' prompts with POST /v1/personas/{golden.persona_id}/consistency-runs {{"target": "draft"}}, naming no other'
        " models.",
        extra={
            "reasons": reasons,
            "run_id": last.public_id if last is not None else None,
            "drift_percent": last.drift_percent if last is not None else None,
            "tolerance_percent": golden.tolerance_percent,
        },
    )
