"""Which model embeds an organization's memories, on the wire."""

from __future__ import annotations

from typing import Annotated, Literal

from ninja import Field, Schema
from pydantic import ConfigDict

from gateway.core.wire import Flag, Whole
from gateway.platform.embeddings.types import MAX_DIMENSIONS

# Provider and model, whatever the provider calls its models; room is left for the dimensions in a space's name.
_MODEL = r"^[a-z0-9][a-z0-9_-]{0,31}/[^\s#]{1,80}$"


class EmbeddingSettingsIn(Schema):
    """The whole choice. ``model``: ``provider/model`` of a provider of your own that speaks OpenAI's wire; null for the
    built-in one. ``dimensions``: what the endpoint is asked for. ``shorten``: cut and renormalise what is longer than
    that (or than 512), which only models trained for it bear."""

    model_config = ConfigDict(extra="forbid")

    model: Annotated[str, Field(pattern=_MODEL)] | None
    dimensions: Annotated[Whole, Field(ge=8, le=MAX_DIMENSIONS)] | None = None
    shorten: Flag = False


class EmbeddingSettingsOut(Schema):
    """``space``: the name of the vectors' space that recall compares in; vectors of other spaces are kept and not used.
    ``embedded``, ``pending`` and ``failed`` are memories of all subjects: with a vector of this space, without one yet,
    and refused by the model (tried again a few times, or at once after ``POST /v1/embeddings/retry``)."""

    source: Literal["built_in", "endpoint", "off"]
    model: str | None
    dimensions: int | None
    shorten: bool
    space: str | None
    embedded: int
    pending: int
    failed: int


class EmbeddingRetryOut(Schema):
    """How many refused memories are tried again."""

    retried: int
