"""Shapes of `/v1/providers`. A key goes in and never comes out."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from ninja import Field, Schema
from pydantic import ConfigDict, SecretStr

from gateway.core.crypto import Secret
from gateway.core.wire import Number
from gateway.platform.providers.stored import Kind, State, StoredProvider

_Url = Annotated[
    str,
    Field(
        min_length=10, max_length=500, pattern=r"^https?://[!-~]+$", description="Default: the vendor's own address."
    ),
]
_Key = Annotated[
    SecretStr,
    Field(
        min_length=1,
        max_length=4096,
        description="Encrypted at rest and never shown again.",
        json_schema_extra={"pattern": "^[!-~]+$"},
    ),
]
_Seconds = Annotated[Number, Field(ge=1, le=3600)]


class TimeoutsIn(Schema):
    """Seconds; what is left out is the installation's."""

    model_config = ConfigDict(extra="forbid")
    first_token_s: _Seconds | None = None
    stall_s: _Seconds | None = None
    total_s: _Seconds | None = None

    def given(self) -> dict[str, float]:
        return self.model_dump(exclude_none=True)


class ProviderIn(Schema):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(
        min_length=2,
        max_length=40,
        pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$",
        description="What stands before the slash in model names. A provider called openai hides the platform's.",
    )
    kind: Kind
    base_url: _Url | None = None
    api_key: _Key
    timeouts: TimeoutsIn | None = None


class ProviderChange(Schema):
    """What is left out stays. Another `base_url` needs the `api_key` with it."""

    model_config = ConfigDict(extra="forbid")

    state: State | None = None
    base_url: _Url | None = None
    api_key: _Key | None = None
    timeouts: TimeoutsIn | None = None


class ProviderRotateIn(Schema):
    model_config = ConfigDict(extra="forbid")

    api_key: _Key


class TrialIn(Schema):
    model_config = ConfigDict(extra="forbid")

    model: str | None = Field(
        None,
        min_length=1,
        max_length=200,
        pattern=r"^[!-~]+$",
        description="The provider's own name of a model; by default a small one of its list.",
    )


class ProviderOut(Schema):
    """One provider. ``last4`` are the last characters of its key; empty for a short one."""

    id: str
    name: str
    kind: Kind
    base_url: str
    last4: str
    state: State
    timeouts: dict[str, float]
    created_at: datetime
    rotated_at: datetime | None
    last_used_at: datetime | None

    @classmethod
    def of(cls, stored: StoredProvider) -> ProviderOut:
        plain = ("name", "kind", "base_url", "last4", "state", "created_at", "rotated_at", "last_used_at")
        fields: dict[str, Any] = {name: getattr(stored, name) for name in plain}
        return cls(id=stored.public_id, timeouts=dict(stored.timeouts), **fields)


class ProvidersOut(Schema):
    data: list[ProviderOut]
    next_cursor: str | None


class TrialErrorOut(Schema):
    """Why the provider did not answer. The key is masked in what it said."""

    code: str
    detail: str


class TrialOut(Schema):
    """One short call to the provider. ``status`` is the HTTP status it answered, null when it did not."""

    ok: bool
    model: str
    latency_ms: int
    status: int | None
    error: TrialErrorOut | None
    provider_cost_micros: int


def secret(given: SecretStr | None) -> Secret | None:
    """The key in the type that nothing writes down."""
    return None if given is None else Secret(given.get_secret_value())
