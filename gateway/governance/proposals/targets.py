"""Where approved writes may go: the servers that the organization named, with the secret each is reached with.

A persona never says an address. It names a target, or nothing when there is only one of the kind.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from gateway.core import crypto
from gateway.core.crypto import Secret
from gateway.governance.proposals.errors import NoTarget, UnknownTarget
from gateway.governance.proposals.models import TargetRow
from tenants.context import current


class Kind(StrEnum):
    """``webhook`` takes signed POSTs; ``caldav`` is one calendar collection."""

    WEBHOOK = "webhook"
    CALDAV = "caldav"


@dataclass(frozen=True, slots=True)
class Target:
    """One target; its secret stays sealed in it."""

    id: UUID
    name: str
    kind: Kind
    url: str
    username: str
    created_at: datetime
    updated_at: datetime
    updated_by: str
    ciphertext: bytes = field(repr=False, compare=False)
    kid: str = field(repr=False, compare=False)

    def secret(self) -> Secret:
        """The signing secret, or the password. Raises Unreadable. Needs the organization's scope."""
        return crypto.unseal(self.ciphertext, self.kid, *place(self.id))


def place(target_id: UUID) -> tuple[str | UUID, ...]:
    """Where a target's secret lives, for the seal: a row copied elsewhere does not open."""
    return (current().id, "write_target", target_id, "secret")


def every(kind: Kind | None = None) -> list[Target]:
    """The organization's targets by name; there are few."""
    rows = TargetRow.objects.order_by("name")
    return [to_target(row) for row in (rows.filter(kind=kind) if kind else rows)]


def get(name: str) -> Target:
    """One target. Raises UnknownTarget."""
    row = TargetRow.objects.filter(name=name).first()
    if row is None:
        raise UnknownTarget(f"There is no write target {name!r}.")
    return to_target(row)


def choose(kind: Kind, name: str | None) -> Target:
    """The target of this kind that a proposal means: the one it names, else the only one there is. Raises NoTarget."""
    found = [target for target in every(kind) if name is None or target.name == name]
    if len(found) == 1:
        return found[0]
    if name is not None:
        raise NoTarget(f"The organization has no {kind.value} target {name!r}.")
    if found:
        names = ", ".join(target.name for target in found)
        raise NoTarget(f"The proposal names none of the {kind.value} targets {names}.", code="write_target_ambiguous")
    raise NoTarget(f"The organization has no {kind.value} target; add one with PUT /v1/write-targets/NAME.")


def to_target(row: TargetRow) -> Target:
    return Target(
        row.id, row.name, Kind(row.kind), row.url, row.username, row.created_at, row.updated_at, row.updated_by,
        bytes(row.secret_ciphertext), row.secret_kid,
    )  # fmt: skip
