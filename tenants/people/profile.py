"""A person's own account: their name, and its end."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from gateway.core import clock
from gateway.core.errors import Conflict
from tenants import selectors
from tenants.accounts.services import account_delete, account_rename
from tenants.context import scope
from tenants.epoch import next_version
from tenants.models import MembershipRow, User
from tenants.people import members, proof
from tenants.types import Account, Person


def rename(account: Account, name: str) -> Person:
    """Give the account another name, shown on every worker within a second."""
    account_rename(account.person.id, name)
    user = User.objects.get(pk=account.person.id)
    return Person(user.pk, user.email, user.name, user.tokens_valid_after, user.created_at)


def delete(account: Account, *, password: str | None, request_id: UUID | None = None) -> None:
    """End the account: sessions, tokens and memberships at once; address, name and credentials are erased, and the keys
    that the person answered for go to an owner of each organization.

    Needs the password or a sign-in of the last five minutes, else Forbidden. Raises Conflict ``last_owner`` naming the
    organizations that would be left without an owner; then nothing has changed.
    """
    person = account.person
    with transaction.atomic():
        user = User.objects.select_for_update().get(pk=person.id)
        proof.require(user, account.session, password)
        rows = MembershipRow.objects.filter(user_id=person.id, removed_at=None).select_related("organization")
        mine = [selectors.to_organization(row.organization) for row in rows.order_by("organization_id")]
        organizations = [organization for organization in mine if organization.state == "ready"]
        for organization in organizations:
            members.lock(organization.ref)
        alone = [one for one in organizations if members.is_last_owner(one.ref, person.id)]
        if alone:
            names = ", ".join(one.name for one in alone)
            raise Conflict(
                f"You are the last owner of {names}; make somebody else an owner, or have it closed, first.",
                code="last_owner",
                extra={"organizations": [one.slug for one in alone]},
            )
        for organization in organizations:
            with scope(organization.ref):
                members.remove(
                    organization.ref, person.id, actor=account.actor, permit=lambda role: None, request_id=request_id
                )
        rows.filter(removed_at=None).update(removed_at=clock.now(), version=next_version())  # never built, so no log
        account_delete(user.pk)
