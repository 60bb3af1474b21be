"""Writes to an account: its name, its end, and a proved address for those who did not come by sign-up."""

from __future__ import annotations

from uuid import UUID

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.db import transaction
from django.http import HttpRequest

from gateway.core import clock
from gateway.core.errors import BadRequest, FieldProblem, NotFound
from tenants.accounts.events import note
from tenants.accounts.sessions import end_sessions
from tenants.models import User

_NAME_LENGTH = 120


def account_rename(user_id: UUID, name: str, *, request: HttpRequest | None = None) -> str:
    """Change what the person is called; returns the name as stored."""
    name = name.strip()
    if not 1 <= len(name) <= _NAME_LENGTH or not name.isprintable():
        message = f"1 to {_NAME_LENGTH} printable characters"
        raise BadRequest(
            f"A name has {message}.", code="invalid_name", problems=(FieldProblem("#/name", "invalid_name", message),)
        )
    with transaction.atomic():
        user = _locked(user_id)
        user.name = name
        user.save(update_fields=["name"])
        note("account_renamed", user_id, request=request)
    return name


def account_deactivate(user_id: UUID, *, request: HttpRequest | None = None) -> None:
    """Let the person in nowhere any more: sessions end at once, signing in is refused. Undone by ``is_active``."""
    with transaction.atomic():
        user = _locked(user_id)
        user.is_active = False
        user.tokens_valid_after = clock.now()
        user.save(update_fields=["is_active", "tokens_valid_after"])
        end_sessions(user_id)
        note("account_deactivated", user_id, request=request)


def account_delete(user_id: UUID, *, request: HttpRequest | None = None) -> None:
    """Delete the account: sessions, passwords, second factors, addresses and name are gone at once, and the address is
    free for a new account. The emptied row stays, so that every worker learns of it; so does the trail, which names
    nobody.

    The caller has made sure that no organization loses its last owner, and has ended the memberships.
    """
    with transaction.atomic():
        user = _locked(user_id)
        end_sessions(user_id)
        for related in (Authenticator, SocialAccount, EmailAddress):
            related.objects.filter(user_id=user_id).delete()
        user.email, user.name = f"{user_id.hex}@deleted.invalid", ""
        user.is_active, user.last_login = False, None
        user.set_unusable_password()
        user.deleted_at = user.tokens_valid_after = clock.now()
        user.save()
        note("account_deleted", user_id, request=request)


def address_prove(user: User) -> None:
    """Take the person's address as proved: an operator made the account, or an invitation reached the address."""
    address, made = EmailAddress.objects.get_or_create(
        user=user, email=user.email.lower(), defaults={"verified": True, "primary": True}
    )
    if not made and not address.verified:
        address.verified = True
        address.save(update_fields=["verified"])


def _locked(user_id: UUID) -> User:
    user = User.objects.select_for_update().filter(pk=user_id, deleted_at=None).first()
    if user is None:
        raise NotFound("There is no such account.", code="account_not_found")
    return user
