"""From the text of a key or a token to who is calling, without I/O for everybody this worker knows."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID

from gateway.core import clock, ids
from gateway.core.errors import Forbidden, Unauthenticated, Unavailable
from gateway.core.journal import Actor
from tenants import capabilities, selectors, tokens, usertokens
from tenants.context import in_public
from tenants.directory import directory
from tenants.people import roles
from tenants.sso import rule
from tenants.types import Account, ApiKey, Organization, Principal, Seat, Session

T = TypeVar("T")
# Longer than a worker takes to learn of a change.
_JUST_MADE = timedelta(seconds=3)
_CLOCKS_DIFFER = timedelta(seconds=capabilities.LEEWAY_S)
_NEXT = "Check the key or make a new one with POST /v1/keys."
_NEXT_TOKEN = "Get a new one with POST /v1/tokens."  # noqa: S105 - a sentence


class KeyRefused(Unauthenticated):
    """A genuine key, or a token of one, that no longer works. ``key`` says whose log may know of it; nothing of it is
    shown. ``origins`` are those whose pages may read the refusal."""

    def __init__(self, detail: str, *, key: ApiKey, origins: tuple[str, ...] | None = None, **kwargs: Any) -> None:
        super().__init__(detail, **kwargs)
        self.key = key
        self.origins = key.origins if origins is None else origins


async def authenticate(token: str) -> Principal:
    """Who calls for which organization. Raises Unauthenticated (with the reason as code), Forbidden for a suspended
    organization, one that is not the person's, or none at all; Unavailable when it cannot be decided."""
    if token.startswith(usertokens.PREFIX):
        return await (_bearer(token) if capabilities.is_one(token) else _member(token))
    key, by_old_secret = await _key(token)
    return Principal(_open(await _usable(key.org_id)), key, by_old_secret=by_old_secret)


async def authenticate_account(token: str) -> Account:
    """The person behind a user token, whatever organization it names. Raises Unauthenticated, Unavailable, Forbidden
    ``user_token_required`` for a capability token."""
    if capabilities.is_one(token):
        await authenticate(token)
        raise Forbidden("This is for signed-in people; a capability token cannot do it.", code="user_token_required")
    return (await _person(token))[0]


async def standing(org_id: UUID, actor: Actor) -> Principal:
    """Who a key or a person is now, for work that they set off earlier: with what they may do at this moment.

    Raises KeyRefused for a key that has ended, Forbidden ``author_gone`` for anybody else who is no longer here, and as
    ``authenticate`` for the organization.
    """
    await _ready()
    organization = _open(await _usable(org_id))
    if actor.kind == ApiKey.kind:
        key = await in_public(selectors.key, organization.ref, ids.parse("key", actor.id))
        _refuse_ended(key)
        return Principal(organization, key)
    if actor.kind == Seat.kind:
        user_id = ids.parse("usr", actor.id)
        seat = await directory.find(lambda: _seat(user_id, org_id))
        if seat is not None:
            return Principal(organization, None, seat)
    raise Forbidden(f"{actor} is no longer here, and this was to be done for them.", code="author_gone")


def _seat(user_id: UUID, org_id: UUID) -> Seat | None:
    person, membership = directory.person(user_id), directory.membership(user_id, org_id)
    if person is None or membership is None:
        return None
    return Seat(person, membership.role, roles.scopes_of(membership.role))


def recognise(text: str) -> ApiKey | None:
    """The genuine key that this text is, as far as this worker knows; for whoever found one where none belongs."""
    parsed = tokens.parse(text)
    key = directory.key(parsed.public) if parsed is not None else None
    if parsed is None or key is None or not hmac.compare_digest(key.secret_sha256, parsed.sha256):
        return None
    return key


async def _key(token: str) -> tuple[ApiKey, bool]:
    """A key that works, and whether its former secret was sent."""
    parsed = tokens.parse(token)
    if parsed is None:
        raise Unauthenticated(f"This is not an API key: its shape or checksum is wrong. {_NEXT}", code="key_malformed")
    await _ready()
    key = directory.key(parsed.public) or await directory.find_missing(parsed.public)
    if key is None:
        raise Unauthenticated(f"No such key. {_NEXT}", code="key_unknown")
    current = hmac.compare_digest(key.secret_sha256, parsed.sha256)
    if not current:
        within_grace = key.previous_valid_until is not None and clock.now() < key.previous_valid_until
        if key.previous_sha256 is None or not hmac.compare_digest(key.previous_sha256, parsed.sha256):
            raise Unauthenticated(f"No such key. {_NEXT}", code="key_unknown")
        if not within_grace:
            raise KeyRefused("This secret was rotated and its time of grace is over.", code="key_expired", key=key)
    _refuse_ended(key)
    return key, not current


def _refuse_ended(key: ApiKey, origins: tuple[str, ...] | None = None) -> None:
    if key.revoked_at is not None:
        raise KeyRefused("This key was revoked.", code="key_revoked", key=key, origins=origins)
    if key.expires_at is not None and clock.now() >= key.expires_at:
        ended = f"This key expired on {key.expires_at:%Y-%m-%d %H:%M} UTC."
        raise KeyRefused(ended, code="key_expired", key=key, origins=origins)


async def _bearer(text: str) -> Principal:
    """The key behind a capability token, cut down to what both allow."""
    claims, now = capabilities.genuine(text), clock.now()
    if claims is None or claims.issued_at > now + _CLOCKS_DIFFER:
        raise Unauthenticated(f"This capability token is not one of ours. {_NEXT_TOKEN}", code="token_invalid")
    await _ready()
    key = directory.key(claims.public)
    if key is None and now - claims.issued_at < _JUST_MADE:
        key = await directory.find_missing(claims.public)
    if key is None or (key.id, key.org_id) != (claims.key_id, claims.org_id):
        raise Unauthenticated(f"The key of this token is gone. {_NEXT_TOKEN}", code="token_invalid")
    token = capabilities.cut_to(claims, key)
    if now >= claims.expires_at:
        ended = f"This token has ended; one lives fifteen minutes at most. {_NEXT_TOKEN}"
        raise KeyRefused(ended, code="token_expired", key=key, origins=token.origins)
    _refuse_ended(key, token.origins)
    if claims.epoch < key.token_epoch or directory.tokens.has_ended(key.org_id, claims.id):
        raise KeyRefused(f"This token was ended. {_NEXT_TOKEN}", code="token_ended", key=key, origins=token.origins)
    return Principal(_open(await _usable(key.org_id)), key, token=token)


async def _member(token: str) -> Principal:
    account, claims = await _person(token)
    org_id = claims.org_id
    if org_id is None:
        raise Forbidden(
            "This user token names no organization; ask POST /v1/auth/token for one that does.",
            code="organization_required",
        )
    membership = await _found(claims, lambda: directory.membership(claims.user_id, org_id))
    if membership is None:
        raise Forbidden("You are not a member of this organization.", code="not_a_member")
    organization = await _usable(org_id)
    rule.require(organization, directory.sso(org_id), user_id=claims.user_id, by=claims.sso)
    seat = Seat(account.person, membership.role, roles.scopes_of(membership.role))
    return Principal(organization, None, seat, account.session)


async def _person(token: str) -> tuple[Account, usertokens.Claims]:
    claims = usertokens.verify(token)
    await _ready()
    if directory.has_ended(claims.sid):
        raise Unauthenticated("This session was ended; sign in again.", code="session_ended")
    person = await _found(claims, lambda: directory.person(claims.user_id))
    if person is None:
        raise Unauthenticated("This account is not active.", code="account_inactive")
    if person.tokens_valid_after is not None and claims.issued_at < person.tokens_valid_after:
        raise Unauthenticated(
            "This token is older than the account's last change; sign in again.", code="session_ended"
        )
    return Account(person, Session(claims.sid, claims.amr, claims.authenticated_at)), claims


async def _found(claims: usertokens.Claims, look: Callable[[], T | None]) -> T | None:
    """What ``look`` finds. Only a token made a moment ago can be ahead of this worker, so only for that one the
    database is asked as well."""
    if clock.now() - claims.issued_at < _JUST_MADE:
        return await directory.find(look)
    return look()


async def _ready() -> None:
    if directory.version < 0:
        await directory.load()  # the first requests of a process wait for its first load instead of being sent away
    directory.require_fresh()


async def _usable(org_id: UUID) -> Organization:
    organization = directory.organization(org_id)
    if organization is not None and organization.state == "deleting":
        raise Forbidden("This organization was deleted.", code="organization_deleted")
    if organization is None or organization.state != "ready":
        # Whoever saw it become ready a moment ago must not be told otherwise by a worker that has yet to hear of it.
        organization = await directory.find(lambda: _ready_one(org_id))
    if organization is None:
        raise Unavailable("This organization is still being set up.", code="org_not_ready", retry_after=2)
    if organization.suspended_at is not None:
        raise Forbidden("This organization is suspended; ask its operator.", code="org_suspended")
    return organization


def _open(organization: Organization) -> Organization:
    """One whose keys work. People still come in while it is being closed, to look and to cancel that."""
    if organization.closes_at is not None:
        raise Forbidden(
            f"This organization is being closed; all of it is deleted on {organization.closes_at:%Y-%m-%d %H:%M} UTC."
            " An owner can cancel that until then.",
            code="organization_closing",
        )
    return organization


def _ready_one(org_id: UUID) -> Organization | None:
    organization = directory.organization(org_id)
    return organization if organization is not None and organization.state == "ready" else None
