"""Persons with verified addresses, memberships, sessions and user tokens, made without HTTP in milliseconds.

For tests in front of the running product ask for ``people``; for tests of services call ``person``, ``member``,
``account_of`` and ``principal_of`` themselves. Addresses are new each time: ``owner-1f3a9c@acme.example``.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from typing import Any
from uuid import UUID

import httpx
import pytest
from allauth.account.internal.userkit import user_id_to_str
from allauth.account.models import EmailAddress
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY

from gateway.core import clock, ids
from tenants import selectors, usertokens
from tenants.models import User
from tenants.people import members, roles
from tenants.people.sessions import sid_of
from tenants.types import Account, OrgRef, Person, Principal, Seat, Session
from tests.factories.organizations import committed_database
from tests.harness import Gateway, Org

__all__ = ["People", "Someone", "account_of", "committed_database", "member", "people", "person", "principal_of"]
PASSWORD = "a long and winding road 7"
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Someone:
    """A person. ``session`` is the token that ``/v1/auth/token`` takes; made when first asked for by ``sign_in``."""

    id: UUID
    email: str
    name: str = ""
    password: str = PASSWORD

    @property
    def public_id(self) -> str:
        return ids.public("usr", self.id)


def person(role: str = "stranger", *, domain: str = "acme.example", email: str | None = None) -> Someone:
    """An account whose address is verified."""
    address = email or f"{role}-{secrets.token_hex(3)}@{domain}"
    user = User.objects.create_user(address, PASSWORD, name=role.title())
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    return Someone(user.pk, user.email, user.name)


def member(ref: OrgRef, role: str = "developer", *, domain: str = "acme.example") -> Someone:
    """A new person in an organization."""
    someone = person(role, domain=domain)
    members.join(ref, someone.id, role)
    return someone


def sign_in(someone: Someone, *, at: datetime | None = None, method: str = "password") -> str:
    """A session as a sign-in leaves it; returns its token. ``at`` is when the password was given."""
    user = User.objects.get(pk=someone.id)
    store = import_module(settings.SESSION_ENGINE).SessionStore()
    store[SESSION_KEY] = str(user.pk)
    store[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    store[HASH_SESSION_KEY] = user.get_session_auth_hash()
    store["account_authentication_methods"] = [{"method": method, "at": (at or clock.now()).timestamp()}]
    store["account_authentication_methods_user"] = user_id_to_str(user)
    store.create()
    UserSession.objects.create(user=user, ip="127.0.0.1", session_key=store.session_key, user_agent="test")
    return store.session_key


def user_token(someone: Someone, ref: OrgRef | None = None, *, session: str = "", at: datetime = LONG_AGO) -> str:
    """A user token without a call. ``at``: when its session last proved who it is."""
    session = session or secrets.token_hex(16)
    return usertokens.mint(
        user_id=someone.id, sid=sid_of(session), org_id=ref.id if ref else None, amr=["pwd"], authenticated_at=at
    )[0]


def account_of(someone: Someone, *, at: datetime = LONG_AGO) -> Account:
    """The person calling for themselves."""
    user = User.objects.get(pk=someone.id)
    known = Person(user.pk, user.email, user.name, user.tokens_valid_after, user.created_at)
    return Account(known, Session("0" * 32, ("pwd",), at))


def principal_of(someone: Someone, ref: OrgRef, role: str) -> Principal:
    """The person calling for an organization, in a role."""
    account = account_of(someone)
    organization = selectors.organization(ref.id)
    assert organization is not None
    return Principal(organization, None, Seat(account.person, role, roles.scopes_of(role)), account.session)


class People:
    """The cast in front of the running product."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.acme = selectors.organization_by_slug("acme").ref
        self.globex = selectors.organization_by_slug("globex").ref
        self._clients: list[httpx.Client] = []

    def person(self, role: str = "stranger") -> Someone:
        return person(role)

    def member(self, role: str = "developer", *, of: Org | None = None) -> Someone:
        """Somebody in acme, or in another organization."""
        ref = selectors.organization_by_slug(of.slug).ref if of is not None else self.acme
        return member(ref, role, domain=f"{of.slug if of is not None else 'acme'}.example")

    def client(self, someone: Someone, ref: OrgRef | None = None, **options: Any) -> httpx.Client:
        """A client with a user token; for ``ref``, or for the person's own affairs."""
        return self.with_token(user_token(someone, ref, **options))

    def with_token(self, token: str) -> httpx.Client:
        headers = {"authorization": f"Bearer {token}"}
        self._clients.append(httpx.Client(base_url=self.gateway.base_url, headers=headers, timeout=30))
        return self._clients[-1]

    def close(self) -> None:
        for client in self._clients:
            client.close()


@pytest.fixture
def people(gateway: Gateway, committed_database: None) -> Iterator[People]:
    """Persons for the running product, really committed."""
    cast = People(gateway)
    yield cast
    cast.close()
