"""A conversation as `POST /v1/memories` takes it."""

from __future__ import annotations

from typing import Any, Literal

from ninja import Field, Schema
from pydantic import ConfigDict

from gateway.core.wire import ZonedMoment
from gateway.knowledge.memory.types import MAX_NAME, MAX_TEXT, Visibility


class TranscriptMessageIn(Schema):
    """One message, the earliest first. ``at`` is when it was said; ``name`` who said it."""

    model_config = ConfigDict(extra="forbid")

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str = Field(max_length=MAX_TEXT)
    name: str | None = Field(None, min_length=1, max_length=MAX_NAME)
    at: ZonedMoment | None = None


class TranscriptIn(Schema):
    """A conversation. What its user messages state becomes memories; nobody else's words do."""

    model_config = ConfigDict(extra="forbid")

    subject_id: str = Field(min_length=1, max_length=MAX_NAME, examples=["usr_123"])
    transcript: list[TranscriptMessageIn] = Field(min_length=1, max_length=1_000)
    thread_id: str | None = Field(None, min_length=1, max_length=MAX_NAME)
    occurred_at: ZonedMoment | None = Field(None, description="When it began; left out: now.")
    persona_id: str | None = Field(None, min_length=1, max_length=64)
    scope: Visibility = Visibility.PRIVATE


class ExtractedOut(Schema):
    """``data`` as for a batch, with the ``message`` that each item came from and its ``text``; ``skipped`` says why
    nothing was read out of a message: ``not_the_subject``, ``nothing_stated``, ``too_many``."""

    data: list[dict[str, Any]]
    skipped: list[dict[str, Any]]
