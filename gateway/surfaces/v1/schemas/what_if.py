"""Shapes of ``POST /v1/policies/what-if`` and ``GET /v1/policies/shadow-report``."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ninja import Field, Schema
from pydantic import ConfigDict

from gateway.core.wire import Whole
from gateway.engine.evaluation.report import Report
from gateway.governance.policies.types import Level
from gateway.governance.policies.wire import FieldsIn


class WhatIfIn(Schema):
    """The draft of an overlay, in the place of the one of the same level and target; ``target`` is the team, subject or
    conversation, empty for the organization."""

    model_config = ConfigDict(extra="forbid")

    level: Level = Level.ORG
    target: str = Field("", max_length=128)
    locks: FieldsIn = FieldsIn()
    defaults: FieldsIn = FieldsIn()
    precedence: Whole = Field(50, ge=0, le=100)
    days: Whole = Field(7, ge=1, le=90, description="How far back to look.")
    show: Whole = Field(50, ge=0, le=200, description="How many of the changed requests to list.")


class WhatIfChangeOut(Schema):
    """One request that would have been decided otherwise; ``changes`` has ``before`` and ``after`` of each decision."""

    request_id: str
    occurred_at: datetime
    persona_id: str | None
    subject_id: str | None
    refused_before: bool
    refused_after: bool
    changes: dict[str, dict[str, Any]]


class WhatIfOut(Schema):
    """``requests`` is the denominator, ``coverage`` the share of them that could be compared (decided again, or, for
    overlays in shadow, spoken of by one), ``unreadable`` why others could not; ``by_decision`` counts the changed
    requests by what changed."""

    since: datetime
    requests: int
    evaluated: int
    coverage: float | None
    unreadable: dict[str, int]
    truncated: bool
    changed: int
    newly_refused: int
    newly_allowed: int
    by_decision: dict[str, int]
    data: list[WhatIfChangeOut]

    @classmethod
    def of(cls, found: Report) -> WhatIfOut:
        return cls(
            since=found.since,
            requests=found.requests,
            evaluated=found.evaluated,
            coverage=found.coverage,
            unreadable={reason: count for reason, count in sorted(found.unreadable.items()) if count},
            truncated=found.truncated,
            changed=found.changed_count,
            newly_refused=found.newly_refused,
            newly_allowed=found.newly_allowed,
            by_decision=dict(sorted(found.by_decision.items())),
            data=[
                WhatIfChangeOut(
                    request_id=one.request_id,
                    occurred_at=one.occurred_at,
                    persona_id=one.persona_id,
                    subject_id=one.subject_id,
                    refused_before=one.refused_before,
                    refused_after=one.refused_after,
                    changes=one.changes,
                )
                for one in found.changed
            ],
        )
