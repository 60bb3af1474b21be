"""An organization with single sign-on, its owner at the API, and a browser on its way through the provider."""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx

from gateway.core import clock
from gateway.core.journal import OPERATOR
from tenants import selectors, services
from tenants.context import scope
from tenants.models import MembershipRow, User
from tenants.provisioning import service as provisioning
from tenants.sso import configuration, store
from tenants.sso import services as sso
from tenants.sso.models import DomainRow
from tenants.sso.selectors import connection_of
from tenants.sso.signin import CODE_S
from tenants.types import OrgRef
from tests.factories.people import Someone, member, user_token
from tests.harness import Gateway
from tests.sso.openid import CLIENT_ID, CLIENT_SECRET, OpenIdProvider
from tests.sso.samlidp import SamlProvider, encoded, read_request


@dataclass
class Company:
    """A ready organization with an owner and a verified mail domain of its own."""

    gateway: Gateway
    ref: OrgRef
    slug: str
    domain: str
    owner: Someone

    def api(self, token: str = "") -> httpx.Client:
        headers = {"authorization": f"Bearer {token or user_token(self.owner, self.ref)}"}
        return httpx.Client(base_url=self.gateway.base_url, headers=headers, timeout=30)

    def call(self, method: str, path: str, body: Any = None, token: str = "") -> httpx.Response:
        with self.api(token) as client:
            return client.request(method, path, json=body)

    def address(self, name: str = "member") -> str:
        """A new address of this organization's domain."""
        return f"{name}-{secrets.token_hex(4)}@{self.domain}"

    def use_oidc(self, provider: OpenIdProvider, **more: Any) -> None:
        body = {"issuer": provider.url, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, **more}
        answer = self.call("PUT", "/v1/sso", {"kind": "oidc", "oidc": body})
        assert answer.status_code == 200, answer.text

    def use_saml(self, provider: SamlProvider, **more: Any) -> None:
        answer = self.call("PUT", "/v1/sso", {"kind": "saml", "saml": {"metadata_xml": provider.metadata(), **more}})
        assert answer.status_code == 200, answer.text

    def connection(self) -> dict[str, Any]:
        found = self.call("GET", "/v1/sso").json()["connection"]
        assert isinstance(found, dict)
        return found

    def test_url(self) -> str:
        answer = self.call("POST", "/v1/sso/test")
        assert answer.status_code == 200, answer.text
        return str(answer.json()["test_url"])

    def tested_with(self, provider: OpenIdProvider) -> None:
        """The connection to an OpenID provider, proved by a test."""
        self.use_oidc(provider)
        provider.is_person(self.address("tester"))
        end = Browser(self).go(self.test_url())
        assert end.query == {"tested": "ok"}, self.connection()["last_test"]

    def enforce(self) -> httpx.Response:
        return self.call("POST", "/v1/sso/enforce", {"break_glass_user_id": self.owner.public_id})

    def members(self) -> dict[str, str]:
        rows = MembershipRow.objects.filter(organization_id=self.ref.id, removed_at=None)
        return dict(rows.values_list("user__email", "role"))

    def audit(self) -> list[str]:
        with self.api() as client:
            return [one["action"] for one in client.get("/v1/audit", params={"limit": 200}).json()["data"]]


def company(gateway: Gateway, name: str) -> Company:
    slug = f"{name}-{secrets.token_hex(4)}"
    made = services.organization_create(slug=slug, name=name.title(), plan="business")
    assert provisioning.run(made.ref.id).state == "ready"
    ref = selectors.organization_by_slug(slug).ref
    domain = f"{secrets.token_hex(4)}.{name}.example"
    DomainRow.objects.create(organization_id=ref.id, domain=domain, token=secrets.token_hex(8), verified_at=clock.now())
    return Company(gateway, ref, slug, domain, member(ref, "owner", domain=domain))


def tested_company(gateway: Any) -> Company:
    """One whose connection was configured and tested, without any provider being asked."""
    made = company(gateway, "example")
    settings = configuration.oidc(issuer="https://issuer.acme.example", client_id="c", require_email_verified=True)
    with scope(made.ref):
        found = sso.configure(
            made.ref, kind="oidc", settings=settings, default_role="viewer", client_secret="s", actor=OPERATOR
        )
        sso.store_test(made.ref, config_hash=found.config_hash, by=made.owner.id, email=made.owner.email)
    return made


def code_for(made: Company) -> str:
    """The code at the end of a sign-in of the owner's."""
    connection = connection_of(made.ref.id)
    assert connection is not None
    value = {
        "user": str(made.owner.id), "organization": str(made.ref.id), "provider": connection.provider_id, "uid": "u",
        "challenge": "",
    }  # fmt: skip
    return store.keep("code", value, CODE_S)


@dataclass(frozen=True)
class End:
    """Where a browser came to rest: a path of the console with its query."""

    path: str
    query: dict[str, str]


@dataclass
class Browser:
    """One browser with its cookies and, like the console behind it, its verifier."""

    company: Company
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))
    cookies: httpx.Cookies = field(default_factory=httpx.Cookies)

    @property
    def challenge(self) -> str:
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def start_url(self, **query: str) -> str:
        url = f"{self.company.gateway.base_url}/accounts/sso/{self.company.slug}/start"
        return str(httpx.URL(url, params={"challenge": self.challenge, **query}))

    def step(self, url: str) -> str:
        """Where one address sends the browser."""
        answer = self._send("GET", url)
        assert answer.status_code in (302, 303), (answer.status_code, answer.text[:500])
        return urljoin(url, answer.headers["location"])

    def go(self, url: str = "") -> End:
        """Follow every redirect until the console has the browser."""
        url = url or self.start_url()
        for _ in range(8):
            end = console_end(url)
            if end is not None:
                return end
            url = self.step(url)
        raise AssertionError(f"a circle of redirects, now at {url}")

    def saml(self, response: Any, acs_url: str) -> End:
        """Bring a SAML response to the address that it is for."""
        posted = self._send("POST", acs_url, data={"SAMLResponse": encoded(response), "RelayState": ""})
        assert posted.status_code in (302, 303), (posted.status_code, posted.text[:500])
        return self.go(urljoin(acs_url, posted.headers["location"]))

    def saml_sign_in(self, provider: SamlProvider, email: str, *, start: str = "", **changes: Any) -> End:
        """Begin, let the provider answer, come back."""
        asked = read_request(self.step(start or self.start_url()))
        return self.saml(provider.response(asked, email, **changes), asked.acs_url)

    def _send(self, method: str, url: str, **more: Any) -> httpx.Response:
        with httpx.Client(cookies=self.cookies, timeout=30) as client:
            answer = client.request(method, url, **more)
            self.cookies = client.cookies
        return answer

    def exchange(self, code: str, verifier: str | None = None) -> httpx.Response:
        body = {"code": code, "verifier": self.verifier if verifier is None else verifier or None}
        return httpx.post(f"{self.company.gateway.base_url}/v1/auth/sso/exchange", json=body)


def console_end(url: str) -> End | None:
    parts = urlsplit(url)
    if parts.path != "/login/sso" and not (parts.path.startswith("/o/") and parts.path.endswith("/sso")):
        return None
    return End(parts.path, {name: values[0] for name, values in parse_qs(parts.query).items()})


def trade(gateway: Gateway, session: str, slug: str | None) -> httpx.Response:
    headers = {"x-session-token": session}
    return httpx.post(f"{gateway.base_url}/v1/auth/token", json={"organization": slug}, headers=headers)


def account_exists(email: str) -> bool:
    return User.objects.filter(email=email.lower()).exists()
