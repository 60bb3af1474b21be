"""Every named address of the console, from its own URL table, filled in with things that exist."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from console.pages import Needs
from tenants import selectors, services
from tenants.provisioning import service as provisioning
from tenants.types import OrgRef
from tests.factories.people import Someone, member, sign_in, user_token
from tests.harness import Gateway

# Files and streams that are no pages.
NO_PAGES = frozenset({"asset"})


@dataclass(frozen=True)
class Place:
    """One named address and what it asks of whoever opens it."""

    name: str
    needs: Needs
    parameters: tuple[str, ...]

    def path(self, things: dict[str, Any]) -> str:
        values = {name: things.get(name, "nothing-here") for name in self.parameters}
        return str(reverse(f"console:{self.name}", kwargs=values, urlconf="console.root"))

    @property
    def reads(self) -> bool:
        return "GET" in self.needs.methods


def places() -> list[Place]:
    """All of them; a page that somebody adds is among them at once."""
    return [Place(one.name, one.callback.needs, tuple(one.pattern.converters)) for one in _named()]


def _named(patterns: Any = None) -> Iterator[URLPattern]:
    for one in get_resolver("console.root").url_patterns if patterns is None else patterns:
        if isinstance(one, URLResolver):
            yield from _named(one.url_patterns)
        elif one.name and one.name not in NO_PAGES:
            yield one


@dataclass
class Firm:
    """An organization of a test's own, with one of everything that has an address."""

    gateway: Gateway
    ref: OrgRef
    slug: str
    owner: Someone
    things: dict[str, Any] = field(default_factory=dict)

    @property
    def marks(self) -> list[str]:
        """What must not stand on a page of anybody else's."""
        named = [value for value in self.things.values() if isinstance(value, str) and len(value) > 8]
        return [self.ref.public_id, self.owner.public_id, self.owner.email, *named]

    def member(self, role: str) -> Someone:
        return member(self.ref, role, domain=f"{self.slug}.example")

    def call(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        headers = {"authorization": f"Bearer {user_token(self.owner, self.ref)}"}
        answer = httpx.request(method, f"{self.gateway.base_url}{path}", json=body, headers=headers, timeout=30)
        assert answer.is_success, answer.text
        found: dict[str, Any] = answer.json()
        return found


def firm(gateway: Gateway, name: str, *, plan: str = "business") -> Firm:
    """Made by the services, without a page."""
    slug = f"{name}-{secrets.token_hex(4)}"
    made = services.organization_create(slug=slug, name=slug.title(), plan=plan)
    assert provisioning.run(made.ref.id).state == "ready"
    ref = selectors.organization_by_slug(slug).ref
    return Firm(gateway, ref, slug, member(ref, "owner", domain=f"{slug}.example"))


def furnished(gateway: Gateway, name: str) -> Firm:
    """A firm with a key, a provider, an invitation, a domain and another member."""
    made = firm(gateway, name)
    key = made.call("POST", "/v1/keys", {"name": f"key of {made.slug}"})
    provider = {"name": "openai", "kind": "openai", "api_key": "sk-not-a-real-one"}
    invited = made.call("POST", "/v1/invitations", {"emails": [f"guest@{made.slug}.example"], "role": "viewer"})
    made.things = {
        "org": made.slug,
        "slug": made.slug,
        "key_id": key["id"],
        "provider_id": made.call("POST", "/v1/providers", provider)["id"],
        "invitation_id": invited["data"][0]["id"],
        "token": invited["data"][0]["url"].rpartition("/")[2],
        "domain_id": made.call("POST", "/v1/sso/domains", {"domain": f"{made.slug}.example"})["id"],
        "user_id": made.member("viewer").public_id,
        "number": 1,
    }
    return made


def session_of(someone: Someone) -> str:
    """A sign-in's token, for the console's cookie."""
    return sign_in(someone)
