"""A receipt as others see it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from gateway.core import ids


class ReceiptKind(StrEnum):
    SUBJECT_ERASED = "subject.erased"
    ORGANIZATION_DELETED = "organization.deleted"


@dataclass(frozen=True, slots=True)
class Receipt:
    """A signed statement. ``document`` is what is signed, in canonical JSON; ``signature`` are 64 bytes of Ed25519 by
    the key ``kid``."""

    id: UUID
    kind: str
    subject_id: str | None
    issued_at: datetime
    document: dict[str, Any]
    kid: str
    signature: bytes

    @property
    def public_id(self) -> str:
        return ids.public("rcp", self.id)


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that signed receipts since ``created_at``; ``raw`` are its 32 bytes."""

    kid: str
    raw: bytes
    created_at: datetime
