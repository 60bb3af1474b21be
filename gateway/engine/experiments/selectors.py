"""Reads of experiments."""

from __future__ import annotations

from uuid import UUID

from gateway.core.pagination import Page, check_limit, decode_cursor
from gateway.core.pagination import page as cut
from gateway.engine.experiments.errors import ExperimentNotFound
from gateway.engine.experiments.models import ExperimentRow
from gateway.engine.experiments.types import Arm, Experiment


def running(persona_id: str) -> Experiment | None:
    """The persona's experiment that runs now. One query."""
    row = ExperimentRow.objects.filter(persona_id=persona_id, stopped_at=None).first()
    return to_experiment(row) if row is not None else None


def get(persona_id: str, experiment_id: UUID) -> Experiment:
    """One experiment of a persona. Raises ExperimentNotFound."""
    row = ExperimentRow.objects.filter(pk=experiment_id, persona_id=persona_id).first()
    if row is None:
        raise ExperimentNotFound("There is no such experiment.")
    return to_experiment(row)


def page(persona_id: str, *, limit: int | None = None, cursor: str | None = None) -> Page[Experiment]:
    """A persona's experiments, newest first."""
    size, before = check_limit(limit), decode_cursor(cursor)
    rows = ExperimentRow.objects.filter(persona_id=persona_id).order_by("-id")
    if before is not None:
        rows = rows.filter(id__lt=before)
    return cut([to_experiment(row) for row in rows[: size + 1]], size, key=lambda experiment: experiment.id)


def to_experiment(row: ExperimentRow) -> Experiment:
    return Experiment(
        row.id, row.persona_id, row.name, row.version_a, row.version_b, row.share_percent, row.started_at,
        row.started_by, row.stopped_at, row.stopped_by, Arm(row.kept) if row.kept else None,
    )  # fmt: skip
