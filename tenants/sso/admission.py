"""Who an identity provider may bring in, and as whom.

A provider speaks only for its organization's verified domains: for the address that it asserts, and for the account
that it reaches. Whoever signs in becomes a member in the connection's default role; whoever was removed or deactivated
stays out.
"""

from __future__ import annotations

from uuid import UUID

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction

from gateway.core import clock, ids
from gateway.core.journal import Actor, Change, record
from tenants.accounts.services import address_prove
from tenants.accounts.sessions import end_sessions
from tenants.context import scope
from tenants.models import MembershipRow, User
from tenants.people import members
from tenants.sso import selectors
from tenants.sso.errors import SignInRefused
from tenants.sso.types import Assertion, Connection

_NAME_LENGTH = 120


def check(connection: Connection, assertion: Assertion) -> None:
    """The rules about what was asserted. Raises SignInRefused; changes nothing."""
    email = assertion.email
    try:
        validate_email(email)
    except ValidationError:
        raise SignInRefused(
            "sso_email_missing", "The identity provider names no usable e-mail address for this person."
        ) from None
    must_say = connection.kind == "oidc" and connection.settings.get("require_email_verified", True)
    if assertion.email_verified is False or (must_say and assertion.email_verified is None):
        raise SignInRefused("sso_email_not_verified", f"The identity provider does not say that {email} is verified.")
    if not selectors.is_verified(connection.ref.id, email):
        raise SignInRefused(
            "sso_domain_not_verified", f"{email} is outside the domains that this organization has verified."
        )


def admit(connection: Connection, assertion: Assertion) -> UUID:
    """The account of the person that was asserted: linked, or made, and a member. Raises SignInRefused."""
    check(connection, assertion)
    try:
        return _admit(connection, assertion)
    except IntegrityError:  # the same person came in by two windows at once
        return _admit(connection, assertion)


def _admit(connection: Connection, assertion: Assertion) -> UUID:
    with scope(connection.ref), transaction.atomic():
        members.lock(connection.ref)
        user = _account(connection, assertion)
        if not user.is_active:
            raise SignInRefused("sso_account_inactive", f"The account of {user.email} is not active.")
        membership = MembershipRow.objects.filter(organization_id=connection.ref.id, user=user).first()
        if membership is not None and membership.removed_at is not None:
            raise SignInRefused(
                "sso_membership_removed", f"{user.email} was removed from this organization; ask to be invited again."
            )
        if membership is None:
            members.join(connection.ref, user.pk, connection.default_role)
            person = ids.public("usr", user.pk)
            detail = {"role": connection.default_role, "by": connection.public_id}
            record(Change("member.joined", Actor("user", person), person, detail=detail))
        return user.pk


def _account(connection: Connection, assertion: Assertion) -> User:
    link = SocialAccount.objects.filter(provider=connection.provider_id, uid=assertion.uid).select_related("user")
    known = link.first()
    if known is not None and selectors.is_verified(connection.ref.id, known.user.email):
        found: User = known.user
        return found
    # Not linked, or the account's address has moved out of this organization's reach: the address decides.
    user = User.objects.filter(email=assertion.email.lower()).first() or _made(assertion)
    _take_over_unproved(user, assertion)
    SocialAccount.objects.update_or_create(
        provider=connection.provider_id, uid=assertion.uid, defaults={"user": user, "extra_data": {}}
    )
    return user


def _made(assertion: Assertion) -> User:
    user = User(email=assertion.email.lower(), name=_name(assertion))
    user.set_unusable_password()
    user.save()
    return user


def _take_over_unproved(user: User, assertion: Assertion) -> None:
    """Somebody may have signed up with an address that is not theirs, and wait for its owner to prove it. What they set
    is taken away before it is."""
    proved = EmailAddress.objects.filter(user=user, email=user.email.lower(), verified=True).exists()
    if proved or not user.is_active:
        return
    EmailAddress.objects.filter(user=user).delete()
    Authenticator.objects.filter(user=user).delete()
    SocialAccount.objects.filter(user=user).delete()
    end_sessions(user.pk)
    user.set_unusable_password()
    user.name, user.tokens_valid_after = _name(assertion), clock.now()
    user.save()
    address_prove(user)


def _name(assertion: Assertion) -> str:
    return "".join(one for one in assertion.name if one.isprintable())[:_NAME_LENGTH]
