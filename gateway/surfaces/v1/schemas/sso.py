"""Single sign-on on the wire. A client secret goes in and never comes out."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from ninja import Field, Schema
from pydantic import ConfigDict

from gateway.core import ids
from gateway.core.wire import Flag
from tenants.sso import addresses, certificates
from tenants.sso.types import Connection, Domain

_Address = Annotated[str, Field(min_length=8, max_length=500)]
_Name = Annotated[str, Field(min_length=1, max_length=191, pattern=r"\S")]


class Strict(Schema):
    model_config = ConfigDict(extra="forbid")


class OidcIn(Strict):
    """``client_secret`` left out keeps the stored one. ``require_email_verified``: refuse people of whom the provider
    does not say that their address is verified; without it only those of whom it says that it is not."""

    issuer: _Address
    client_id: _Name
    client_secret: Annotated[str, Field(min_length=1, max_length=500)] | None = None
    require_email_verified: Flag = True


class SamlIn(Strict):
    """One of ``metadata_url``, ``metadata_xml``, or ``entity_id`` with ``sso_url`` and ``certificates`` (PEM)."""

    metadata_url: _Address | None = None
    metadata_xml: Annotated[str, Field(min_length=1, max_length=500_000)] | None = None
    entity_id: Annotated[str, Field(min_length=1, max_length=500)] | None = None
    sso_url: _Address | None = None
    certificates: Annotated[list[Annotated[str, Field(max_length=20_000)]], Field(max_length=6)] | None = None
    email_attribute: _Name | None = None
    name_attribute: _Name | None = None


class SsoIn(Strict):
    kind: Literal["oidc", "saml"]
    oidc: OidcIn | None = None
    saml: SamlIn | None = None
    default_role: Literal["developer", "reviewer", "billing", "viewer"] = "viewer"


class EnforceIn(Strict):
    """``break_glass_user_id``: an owner who keeps signing in with a password; ``require_mfa``: and must have a second
    factor."""

    break_glass_user_id: Annotated[str, Field(min_length=1, max_length=64)]
    require_mfa: Flag = False


class DomainIn(Strict):
    domain: Annotated[str, Field(min_length=1, max_length=260)]


class ExchangeIn(Strict):
    code: Annotated[str, Field(min_length=1, max_length=200)]
    verifier: Annotated[str, Field(min_length=1, max_length=128)] | None = None


class OidcOut(Schema):
    issuer: str
    client_id: str
    has_secret: bool
    require_email_verified: bool


class CertificateOut(Schema):
    subject: str
    fingerprint_sha256: str
    expires_at: datetime


class SamlOut(Schema):
    entity_id: str
    sso_url: str
    metadata_url: str | None
    email_attribute: str | None
    name_attribute: str | None
    certificates: list[CertificateOut]


class TestErrorOut(Schema):
    code: str
    detail: str


class TestOut(Schema):
    """``current`` is false when the configuration changed since."""

    ok: bool
    at: datetime
    by: str
    email: str | None
    claims: dict[str, Any]
    error: TestErrorOut | None
    current: bool


class ConnectionOut(Schema):
    """``enforcing``: enforced, and the plan still includes single sign-on."""

    id: str
    kind: Literal["oidc", "saml"]
    state: Literal["draft", "tested", "enforced", "disabled"]
    enforcing: bool
    oidc: OidcOut | None
    saml: SamlOut | None
    default_role: str
    break_glass_user_id: str | None
    last_test: TestOut | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, found: Connection, *, included: bool) -> ConnectionOut:
        named: dict[str, Any] = {"kind": found.kind, "state": found.state}
        return cls(
            **named,
            id=found.public_id,
            enforcing=found.state == "enforced" and included,
            oidc=OidcOut(**found.settings, has_secret=found.has_secret) if found.kind == "oidc" else None,
            saml=_saml(found.settings) if found.kind == "saml" else None,
            default_role=found.default_role,
            break_glass_user_id=ids.public("usr", found.break_glass_user_id) if found.break_glass_user_id else None,
            last_test=_test(found),
            created_at=found.created_at,
            updated_at=found.updated_at,
        )


class ServiceProviderOut(Schema):
    """What an identity provider must be told of us: ``redirect_uri`` for OpenID Connect, the rest for SAML."""

    redirect_uri: str
    entity_id: str
    acs_url: str
    metadata_url: str


class PlanOut(Schema):
    included: bool
    needs: str | None


class RecordOut(Schema):
    name: str
    type: Literal["TXT"]
    value: str


class DomainOut(Schema):
    id: str
    domain: str
    state: Literal["pending", "verified"]
    verified_at: datetime | None
    created_at: datetime
    record: RecordOut

    @classmethod
    def of(cls, found: Domain) -> DomainOut:
        return cls(
            id=found.public_id,
            domain=found.domain,
            state="verified" if found.verified_at else "pending",
            verified_at=found.verified_at,
            created_at=found.created_at,
            record=RecordOut(name=found.record_name, type="TXT", value=found.record_value),
        )


class DomainsOut(Schema):
    data: list[DomainOut]


class SsoOut(Schema):
    connection: ConnectionOut | None
    service_provider: ServiceProviderOut
    sign_in_url: str
    plan: PlanOut
    domains: list[DomainOut]


class TestStartedOut(Schema):
    """Open ``test_url`` in a new tab; it works once. The result is ``connection.last_test``."""

    test_url: str
    expires_at: datetime


class DiscoveredOrganizationOut(Schema):
    slug: str
    name: str


class DiscoveredOut(Schema):
    sso: bool
    organization: DiscoveredOrganizationOut | None
    start_url: str | None


class ExchangedOut(Schema):
    session_token: str
    organization: str
    expires_at: datetime


def service_provider(slug: str) -> ServiceProviderOut:
    return ServiceProviderOut(**addresses.of(slug))


def _saml(settings: dict[str, Any]) -> SamlOut:
    known = [certificates.shown(pem) for pem in settings["certificates"]]
    shown = [
        CertificateOut(subject=one.subject, fingerprint_sha256=one.fingerprint_sha256, expires_at=one.expires_at)
        for one in known
    ]
    return SamlOut(**{**settings, "certificates": shown})


def _test(found: Connection) -> TestOut | None:
    if found.last_test is None:
        return None
    said = {name: value for name, value in found.last_test.items() if name != "config_hash"}
    return TestOut(**said, current=found.last_test["config_hash"] == found.config_hash)
