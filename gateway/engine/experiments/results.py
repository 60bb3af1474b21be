"""What the two arms of an experiment did, from the decision records."""

from __future__ import annotations

from gateway.engine.experiments.types import Arm, ArmResult, Experiment
from gateway.platform.requests import selectors as requests


def of(experiment: Experiment) -> tuple[ArmResult, ArmResult]:
    """Both arms, A first, over every call of people to the two versions since the experiment began and until it ended.
    Calls that asked for a version by its number are among them: the records do not tell them apart."""
    found = requests.by_persona_version(
        experiment.persona_id,
        (experiment.version_a, experiment.version_b),
        since=experiment.started_at,
        until=experiment.stopped_at,
    )
    return _arm(experiment, Arm.A, found), _arm(experiment, Arm.B, found)


def _arm(experiment: Experiment, arm: Arm, found: dict[int, requests.VersionUse]) -> ArmResult:
    version = experiment.version(arm)
    use = found.get(version)
    if use is None:
        return ArmResult(arm, version, 0, 0, 0, None, None, 0, None, None, None)
    answered = use.calls - use.errors
    return ArmResult(
        arm=arm,
        version=version,
        calls=use.calls,
        subjects=use.subjects,
        errors=use.errors,
        latency_p50_ms=use.latency_p50_ms,
        latency_p95_ms=use.latency_p95_ms,
        charged_micros=use.charged_micros,
        per_subject=round(use.calls / use.subjects, 2) if use.subjects else None,
        redirect_rate=round(use.redirected / answered, 4) if answered else None,
        proposal_rate=round(use.proposing / answered, 4) if answered else None,
    )
