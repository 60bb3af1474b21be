"""From what an administrator types to settings that can be kept: checked, in one spelling, without any secret."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from gateway.core.egress.addresses import parse_address, parse_allowance
from gateway.core.egress.errors import EgressRefused
from gateway.core.egress.target import parse_url
from tenants.sso import certificates
from tenants.sso.errors import invalid
from tenants.sso.types import DEFAULT_ROLES

_MOST_CERTIFICATES = 6


def oidc(*, issuer: str, client_id: str, require_email_verified: bool) -> dict[str, Any]:
    """The settings of an OpenID Connect connection. Raises BadRequest naming the field."""
    issuer = issuer.strip()
    address("oidc/issuer", issuer, code="sso_issuer_invalid")
    if urlsplit(issuer).query or urlsplit(issuer).fragment or "/.well-known/" in issuer:
        raise invalid(
            "oidc/issuer", "the issuer alone, without a query and without /.well-known/…", code="sso_issuer_invalid"
        )
    return {
        "issuer": issuer,
        "client_id": client_id.strip(),
        "require_email_verified": require_email_verified,
    }


def saml(
    *,
    entity_id: str,
    sso_url: str,
    certificates_given: list[str],
    metadata_url: str | None = None,
    email_attribute: str | None = None,
    name_attribute: str | None = None,
) -> dict[str, Any]:
    """The settings of a SAML connection. Raises BadRequest naming the field."""
    if not entity_id.strip():
        raise invalid("saml/entity_id", "is missing", code="sso_metadata_invalid")
    address("saml/sso_url", sso_url, code="sso_metadata_invalid")
    if not 1 <= len(certificates_given) <= _MOST_CERTIFICATES:
        raise invalid("saml/certificates", f"1 to {_MOST_CERTIFICATES} are needed", code="sso_metadata_invalid")
    known = []
    for index, text in enumerate(certificates_given):
        try:
            known.append(certificates.normal(text))
        except ValueError as error:
            raise invalid(f"saml/certificates/{index}", str(error), code="sso_metadata_invalid") from None
    return {
        "entity_id": entity_id.strip(),
        "sso_url": sso_url,
        "certificates": known,
        "metadata_url": metadata_url,
        "email_attribute": email_attribute,
        "name_attribute": name_attribute,
    }


def default_role(role: str) -> str:
    """A role that newcomers may get. Raises BadRequest."""
    if role not in DEFAULT_ROLES:
        raise invalid("default_role", f"one of {', '.join(DEFAULT_ROLES)}", code="invalid_default_role")
    return role


def address(pointer: str, url: str, *, code: str) -> str:
    """An address of an identity provider: https, or plain http where IKIRO_EGRESS_ALLOW names the host. Raises
    BadRequest."""
    problem = unusable(url)
    if problem:
        raise invalid(pointer, problem, code=code)
    return url


def unusable(url: str) -> str | None:
    """Why nobody should be sent to this address, or None."""
    try:
        target = parse_url(url)
    except EgressRefused as error:
        return error.detail
    if target.scheme == "https":
        return None
    allowance, literal = parse_allowance(settings.IKIRO_EGRESS_ALLOW), parse_address(target.host)
    if allowance.host(target.host) or (literal is not None and allowance.address(literal)):
        return None
    return "must begin with https://"
