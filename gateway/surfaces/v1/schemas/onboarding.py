"""What ``/v1/onboarding`` answers."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from ninja import Schema


class OnboardingStepOut(Schema):
    id: Literal["organization", "api_key", "persona", "first_call", "proposal", "provider", "invite"]
    done: bool
    done_at: datetime | None


class StageOut(Schema):
    stage: str
    ms: float


class FirstCallOut(Schema):
    """The organization's first call that was answered, or the last one that was not. ``fix`` is what to do about it."""

    state: Literal["waiting", "failed", "succeeded"]
    request_id: str | None = None
    occurred_at: datetime | None = None
    status: int | None = None
    code: str | None = None
    detail: str | None = None
    latency_ms: int | None = None
    timeline: list[StageOut] = []
    fix: str | None = None


class OnboardingOut(Schema):
    """``first_call`` is null for a caller who may not read requests."""

    steps: list[OnboardingStepOut]
    first_call: FirstCallOut | None
    signed_up_at: datetime
    time_to_first_call_s: float | None
