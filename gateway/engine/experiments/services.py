"""Writes of experiments, and what one means for a conversation that begins."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from django.db import IntegrityError, transaction

from gateway.core import clock
from gateway.core.errors import BadRequest, FieldProblem
from gateway.core.journal import Actor, Change, record
from gateway.engine.experiments import selectors
from gateway.engine.experiments.errors import ExperimentNotFound, ExperimentRunning, ExperimentStopped
from gateway.engine.experiments.models import ExperimentRow
from gateway.engine.experiments.selectors import to_experiment
from gateway.engine.experiments.splitting import arm_of
from gateway.engine.experiments.types import Arm, Experiment
from gateway.knowledge.personas import selectors as personas
from gateway.knowledge.personas import services as publishing


def start(
    persona_id: str,
    *,
    name: str,
    version_a: int,
    version_b: int,
    share_percent: int,
    actor: Actor,
    request_id: UUID | None = None,
) -> Experiment:
    """Split the persona's subjects between two of its versions, for conversations that begin from now on.

    Raises PersonaNotFound, PersonaVersionNotFound, BadRequest for the same version twice, ExperimentRunning while
    another one of this persona runs.
    """
    if version_a == version_b:
        problem = FieldProblem("#/version_b", "same_version", "must be another version than version_a")
        raise BadRequest(f"version_b {problem.message}.", problems=(problem,))
    for version in (version_a, version_b):
        personas.load(persona_id, version)
    try:
        with transaction.atomic():
            row = ExperimentRow.objects.create(
                persona_id=persona_id,
                name=name,
                version_a=version_a,
                version_b=version_b,
                share_percent=share_percent,
                started_by=str(actor),
            )
            detail = {"version_a": version_a, "version_b": version_b, "share_percent": share_percent}
            _record("experiment.started", row, actor, request_id, detail)
    except IntegrityError:
        other = selectors.running(persona_id)
        if other is None:
            raise
        told = f"The experiment {other.name!r} of this persona runs; stop it first."
        raise ExperimentRunning(told, extra={"experiment_id": other.public_id}) from None
    return to_experiment(row)


def stop(
    persona_id: str,
    experiment_id: UUID,
    *,
    keep: Arm | None,
    actor: Actor,
    request_id: UUID | None = None,
) -> Experiment:
    """End an experiment. With ``keep`` the arm's version is published again as the newest, unless it is the current one
    already. The same end twice is one end. Raises ExperimentNotFound, ExperimentStopped when it ended otherwise."""
    with transaction.atomic():
        row = ExperimentRow.objects.select_for_update().filter(pk=experiment_id, persona_id=persona_id).first()
        if row is None:
            raise ExperimentNotFound("There is no such experiment.")
        if row.stopped_at is not None:
            if row.kept == keep:
                return to_experiment(row)
            told = f"{row.stopped_by} stopped this experiment, keeping {row.kept or 'neither'}."
            raise ExperimentStopped(told, extra={"stopped_by": row.stopped_by, "kept": row.kept})
        row.stopped_at, row.stopped_by, row.kept = clock.now(), str(actor), keep
        row.save(update_fields=["stopped_at", "stopped_by", "kept"])
        _record("experiment.stopped", row, actor, request_id, {"kept": keep})
        if keep is not None:
            version = to_experiment(row).version(keep)
            if personas.get(persona_id).current_version != version:
                publishing.roll_back(persona_id, version, actor=actor, request_id=request_id)
    return to_experiment(row)


def version_for(persona_id: str, subject_id: str) -> tuple[Experiment, Arm] | None:
    """The running experiment that decides with which version this subject's next conversation begins, and the
    subject's arm; None when none runs."""
    experiment = selectors.running(persona_id)
    return (experiment, arm_of(experiment, subject_id)) if experiment is not None else None


def _record(
    action: str, row: ExperimentRow, actor: Actor, request_id: UUID | None, detail: Mapping[str, object]
) -> None:
    shown = to_experiment(row)
    record(
        Change(
            action,
            actor,
            shown.public_id,
            persona_id=row.persona_id,
            request_id=request_id,
            detail={**detail, "name": row.name},
        )
    )
