"""How failures look on the wire, for the OpenAPI document; ``gateway/surfaces/problems.py`` writes them."""

from __future__ import annotations

from typing import Any, Literal

from ninja import Field, Schema
from pydantic import ConfigDict


class FieldProblemOut(Schema):
    """One thing that is wrong with the input. ``pointer`` is a JSON pointer into the body, or ``#/query/NAME``."""

    pointer: str
    code: str
    message: str


class ProblemOut(Schema):
    """RFC 9457 with a machine code and the request id. Some codes bring fields of their own, such as `flag` and
    `plan`."""

    model_config = ConfigDict(extra="allow", title="Problem")

    type: str = Field(examples=["urn:ikiro:error:invalid_request"])
    title: str
    status: int = Field(ge=400, le=599)
    detail: str = Field(description="What went wrong this time, and what to do.")
    instance: str
    code: str = Field(description="What a program decides by.")
    request_id: str
    errors: list[FieldProblemOut] = Field(default=[], description="The fields that are wrong.")
    retry_after: float = Field(0.0, description="Seconds.")
    decisions: list[dict[str, Any]] = Field(default=[], description="What was decided before it failed.")
    decision: dict[str, Any] = Field({}, description="The line of them that refused, where one did.")


class OpenAIErrorDetail(Schema):
    message: str
    type: str
    param: str | None
    code: str
    request_id: str
    decision: dict[str, Any] = Field({}, description="On 402 and 429: the line of the decision record that refused.")


class OpenAIErrorOut(Schema):
    """A failure as OpenAI's clients read it."""

    model_config = ConfigDict(extra="forbid", title="OpenAIError")

    error: OpenAIErrorDetail


class AnthropicErrorDetail(Schema):
    type: str
    message: str
    code: str
    decision: dict[str, Any] = Field({}, description="On 402 and 429: the line of the decision record that refused.")


class AnthropicErrorOut(Schema):
    """A failure as Anthropic's clients read it."""

    model_config = ConfigDict(extra="forbid", title="AnthropicError")

    type: Literal["error"]
    error: AnthropicErrorDetail
    request_id: str
