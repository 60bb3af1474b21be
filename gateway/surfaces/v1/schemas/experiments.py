"""Shapes of experiments on the wire."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from ninja import Field, Schema
from pydantic import ConfigDict

from gateway.core.pagination import Page
from gateway.core.wire import Whole
from gateway.engine.experiments.types import MAX_NAME, Arm, ArmResult, Experiment

_LARGEST = 2**31 - 1


class ExperimentIn(Schema):
    """``version_a`` is the current version where it is left out."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=MAX_NAME, examples=["Warmer greeting"])
    version_a: Whole | None = Field(None, ge=1, le=_LARGEST)
    version_b: Whole = Field(ge=1, le=_LARGEST)
    share_percent: Whole = Field(50, ge=1, le=99, description="How many of a hundred subjects get version_b.")


class ExperimentStopIn(Schema):
    """``keep`` publishes the arm's version again as the newest; left out, the current version stays."""

    model_config = ConfigDict(extra="forbid")

    keep: Arm | None = None


class ArmOut(Schema):
    """Rates are 0 to 1 of the answered calls."""

    arm: str
    version: int
    calls: int
    subjects: int
    errors: int
    latency_p50_ms: float | None
    latency_p95_ms: float | None
    charged_micros: int
    calls_per_subject: float | None
    redirect_rate: float | None
    proposal_rate: float | None

    @classmethod
    def of(cls, found: ArmResult) -> ArmOut:
        values = asdict(found)
        return cls(**values, calls_per_subject=values.pop("per_subject"))


class ExperimentOut(Schema):
    """One experiment; ``results`` has both arms where a single one was asked for."""

    id: str
    persona_id: str
    name: str
    version_a: int
    version_b: int
    share_percent: int
    started_at: datetime
    started_by: str
    stopped_at: datetime | None
    stopped_by: str | None
    kept: str | None
    results: list[ArmOut] | None

    @classmethod
    def of(cls, found: Experiment, results: tuple[ArmResult, ArmResult] | None = None) -> ExperimentOut:
        values = asdict(found)
        values.pop("id")
        shown = [ArmOut.of(one) for one in results] if results is not None else None
        return cls(id=found.public_id, results=shown, **values)


class ExperimentPage(Schema):
    data: list[ExperimentOut]
    next_cursor: str | None

    @classmethod
    def of(cls, found: Page[Experiment]) -> ExperimentPage:
        return cls(data=[ExperimentOut.of(one) for one in found.data], next_cursor=found.next_cursor)
