"""What an organization chooses of its feature flags, each change with a reason, in its own audit log.

Which flags there are and what may be chosen is checked by the caller (``gateway.platform.flags``). A choice is kept in
``OrgSettings.flags`` as ``{"value", "version", "by", "at", "reason"}``; ``value`` is None once it was taken back. The
operator's own overrides (``Organization.flags``) stand beside it and are changed by ``tenants.services.flags_set``.
"""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from gateway.core import clock
from gateway.core.errors import Conflict, NotFound
from gateway.core.journal import Actor, Change, record
from tenants import selectors
from tenants.directory import next_version
from tenants.models import OrganizationRow
from tenants.types import Organization, OrgRef

CHANGED = "flag.changed"


class FlagChanged(Conflict):
    """Somebody else changed the flag first; ``extra`` has the version that is there."""

    default_code = "flag_changed"


def choose(
    ref: OrgRef,
    key: str,
    value: bool | int | None,
    *,
    reason: str,
    actor: Actor,
    request_id: UUID | None = None,
    expected_version: int | None = None,
) -> Organization:
    """Store a choice, or with None take it back; every worker knows within a second. Runs in the organization's scope.

    Raises FlagChanged when ``expected_version`` is not the choice's version now (0: never chosen).
    """
    with transaction.atomic():
        row: OrganizationRow | None = OrganizationRow.objects.select_for_update().filter(pk=ref.id).first()
        if row is None:
            raise NotFound("There is no such organization.", code="organization_not_found")
        settings = dict(row.settings or {})
        chosen = dict(settings.get("flags") or {})
        before = chosen.get(key) or {"value": None, "version": 0}
        if expected_version is not None and expected_version != before["version"]:
            raise FlagChanged(
                f"The flag is at version {before['version']}, not {expected_version}.",
                extra={"version": before["version"]},
            )
        version = before["version"] + 1
        chosen[key] = {
            "value": value, "version": version, "by": str(actor), "at": clock.now().isoformat(), "reason": reason,
        }  # fmt: skip
        row.settings = {**settings, "flags": chosen}
        row.version = next_version()
        row.save(update_fields=["settings", "version"])
        detail = {"before": before["value"], "after": value, "reason": reason, "version": version}
        record(Change(CHANGED, actor, key, request_id=request_id, detail=detail))
    return selectors.to_organization(row)
