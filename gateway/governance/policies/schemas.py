"""Shapes of policies on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from ninja import Schema
from pydantic import ConfigDict, Field

from gateway.core import ids
from gateway.core.pagination import Page
from gateway.core.wire import Whole
from gateway.governance.policies.documents import to_json
from gateway.governance.policies.types import Level, Mode, Overlay, Version
from gateway.governance.policies.wire import FieldsIn


class OverlayIn(Schema):
    """The whole overlay; what is left out is removed. In `mode` `shadow` it is stored beside the one in force and
    changes nothing. With `expected_version` only if that is still the version of this mode; 0 means that there is none
    yet."""

    model_config = ConfigDict(extra="forbid")
    locks: FieldsIn = FieldsIn()
    defaults: FieldsIn = FieldsIn()
    precedence: Whole = Field(default=50, ge=0, le=100)
    mode: Mode = Mode.ENFORCE
    expected_version: Whole | None = Field(default=None, ge=0, le=2**31 - 1)


class PromoteIn(Schema):
    """Which overlay in shadow goes into force, and the version of it that was seen. `expected_in_force` is the version
    that the one in force must still have, 0: that there is none; null does not ask."""

    model_config = ConfigDict(extra="forbid")
    level: Level = Level.ORG
    target: str = Field(default="", max_length=128)
    expected_version: Whole = Field(ge=1, le=2**31 - 1)
    expected_in_force: Whole | None = Field(default=None, ge=0, le=2**31 - 1)


class OverlayOut(Schema):
    """One overlay. ``id`` and ``updated_at`` are null as long as nobody has written it."""

    id: str | None
    level: str
    target: str
    mode: Mode
    locks: dict[str, Any]
    defaults: dict[str, Any]
    precedence: int
    version: int
    updated_at: datetime | None
    updated_by: str

    @classmethod
    def of(cls, overlay: Overlay) -> OverlayOut:
        return cls(
            id=overlay.public_id, level=overlay.level, target=overlay.target, mode=overlay.mode,
            locks=to_json(overlay.locks), defaults=to_json(overlay.defaults), precedence=overlay.precedence,
            version=overlay.version, updated_at=overlay.updated_at, updated_by=overlay.updated_by,
        )  # fmt: skip


class OverlayPage(Schema):
    data: list[OverlayOut]
    next_cursor: str | None

    @classmethod
    def of(cls, page: Page[Overlay]) -> OverlayPage:
        return cls(data=[OverlayOut.of(one) for one in page.data], next_cursor=page.next_cursor)


class OverlayVersionOut(Schema):
    """What an overlay was in one of its versions; ``deleted`` says that this version took it away. ``changed`` names
    the fields that differ from the version before."""

    id: str
    policy_id: str
    level: str
    target: str
    mode: Mode
    version: int
    locks: dict[str, Any]
    defaults: dict[str, Any]
    precedence: int
    changed: list[str]
    deleted: bool
    written_at: datetime | None
    written_by: str

    @classmethod
    def of(cls, version: Version) -> OverlayVersionOut:
        overlay = version.overlay
        return cls(
            id=ids.public("polv", version.id), policy_id=str(overlay.public_id), level=overlay.level,
            target=overlay.target, mode=overlay.mode, version=overlay.version, locks=to_json(overlay.locks),
            defaults=to_json(overlay.defaults), precedence=overlay.precedence, changed=list(version.changed),
            deleted=version.deleted, written_at=overlay.updated_at, written_by=overlay.updated_by,
        )  # fmt: skip


class OverlayVersionPage(Schema):
    data: list[OverlayVersionOut]
    next_cursor: str | None

    @classmethod
    def of(cls, page: Page[Version]) -> OverlayVersionPage:
        return cls(data=[OverlayVersionOut.of(one) for one in page.data], next_cursor=page.next_cursor)


LowerLevel = Literal["team", "user", "session"]
