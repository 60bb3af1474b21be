"""What people and the operator change about flags. Rules first, then one write with its audit entry."""

from __future__ import annotations

from uuid import UUID

from gateway.core.errors import BadRequest, Forbidden, NotFound
from gateway.core.journal import Actor
from gateway.platform.flags import catalogue
from gateway.platform.flags.types import Flag
from tenants import flags, killswitch
from tenants.types import Organization


def known(key: str) -> Flag:
    """The flag an address names. Raises NotFound."""
    flag = catalogue.FLAGS.get(key)
    if flag is None:
        raise NotFound(f"There is no flag {key!r}.", code="flag_not_found")
    return flag


def choose(
    organization: Organization,
    key: str,
    value: bool | int | None,
    *,
    reason: str,
    actor: Actor,
    request_id: UUID | None = None,
    expected_version: int | None = None,
) -> Organization:
    """Store what an organization chooses, or with None go back to what plan, operator and code say.

    Raises NotFound, BadRequest for a value that the flag cannot have, Forbidden for one that is the operator's or above
    the plan, Conflict when ``expected_version`` is no longer the choice's. ``organization`` is who is in scope.
    """
    flag = known(key)
    if flag.operator_only:
        raise Forbidden(f"Only the operator sets {key}.", code="operator_only", extra={"flag": key})
    if value is not None:
        catalogue.check(flag, value)
        if value is True:
            _require_right(organization, key)
    return flags.choose(
        organization.ref,
        key,
        value,
        reason=reason.strip(),
        actor=actor,
        request_id=request_id,
        expected_version=expected_version,
    )


def _require_right(organization: Organization, key: str) -> None:
    if catalogue.may_turn_on(organization, key):
        return
    if key in organization.flags:
        raise Forbidden(
            f"The operator has switched {key} off for this organization.", code="operator_only", extra={"flag": key}
        )
    plan = catalogue.needs_plan(key)
    raise Forbidden(f"{key} needs the {plan} plan or above.", code="plan_required", extra={"flag": key, "plan": plan})


def kill(key: str, *, reason: str, actor: Actor) -> None:
    """Switch a flag off for every organization within a second. Raises BadRequest for one that cannot be."""
    if catalogue.find(key).off is None:
        raise BadRequest(f"{key} is no feature that could be switched off.", code="flag_not_killable")
    killswitch.kill(key, reason=reason, actor=actor)


def revive(key: str, *, reason: str, actor: Actor) -> bool:
    """Undo ``kill``; every organization has again what it had. False when the flag was not killed."""
    return killswitch.revive(catalogue.find(key).key, reason=reason, actor=actor)
