"""An organization's own choices on the wire."""

from __future__ import annotations

from typing import Annotated, Literal

from ninja import Field, Schema
from pydantic import ConfigDict

from gateway.core.wire import Flag, Whole


class OrganizationSettingsOut(Schema):
    """``store_bodies``: keep what is sent and answered, masked and encrypted, for ``body_retention_days``.
    ``conversation_retention_days``: for how long turns are kept; 0 keeps none.
    ``on_disconnect``: what a stream without a key of its own does when its caller hangs up. ``memory_hard_cap``: refuse
    memory operations beyond the plan's instead of billing them."""

    store_bodies: bool
    body_retention_days: int
    request_retention_days: int
    conversation_retention_days: int
    memory_hard_cap: bool
    on_disconnect: str


class OrganizationSettingsIn(Schema):
    """What to change; a field that is not there stays, null returns it to its default."""

    model_config = ConfigDict(extra="forbid")

    store_bodies: Flag | None = None
    body_retention_days: Annotated[Whole, Field(ge=1, le=90)] | None = None
    request_retention_days: Annotated[Whole, Field(ge=1, le=730)] | None = None
    conversation_retention_days: Annotated[Whole, Field(ge=0, le=730)] | None = None
    memory_hard_cap: Flag | None = None
    on_disconnect: Literal["cancel", "drain"] | None = None
