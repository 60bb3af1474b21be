"""What ``POST /v1/explain`` takes and answers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from ninja import Field, Schema
from pydantic import BaseModel, ConfigDict


class ExplainIn(BaseModel):  # Ninja's own Schema drops extra fields
    """The fields of `POST /v1/chat`; or `openai`, a body of `/v1/chat/completions`, with the `headers` that would go
    with it (`x-persona-id`, …)."""

    model_config = ConfigDict(extra="allow")

    openai: dict[str, Any] | None = None
    headers: Annotated[dict[str, Annotated[str, Field(max_length=512)]], Field(max_length=20)] | None = None


class ExplainOut(Schema):
    """``decisions`` in the order of a real call, up to the first that refuses; ``error`` is the problem that the call
    would be answered with. Sizes are bytes, money is micro-dollars, an upper bound."""

    request_id: str
    would: Literal["allowed", "refused"]
    decisions: list[dict[str, Any]]
    decision: dict[str, Any] | None
    error: dict[str, Any] | None
    targets: list[str]
    prompt: dict[str, Any]
    price: dict[str, Any]
