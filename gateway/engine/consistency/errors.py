"""What can be wrong with golden prompts and their runs."""

from __future__ import annotations

from gateway.core.errors import Conflict, NotFound


class RunNotFound(NotFound):
    default_code = "consistency_run_not_found"


class RunUnderWay(Conflict):
    default_code = "consistency_run_under_way"


class NoGoldenPrompts(Conflict):
    default_code = "no_golden_prompts"


class GoldenPromptsConflict(Conflict):
    default_code = "golden_prompts_conflict"


class ConsistencyRequired(Conflict):
    """The persona may be published only after its golden prompts were asked and answered in its voice."""

    default_code = "consistency_required"
