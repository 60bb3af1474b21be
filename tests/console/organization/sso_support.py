"""What the gateway says of an organization's single sign-on, for tests of its pages."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest

from tests.console.scripted import Scripted

SECRET = "hush-very-secret"
DOMAIN: dict[str, Any] = {
    "id": "dom_1", "domain": "acme.example", "state": "pending", "verified_at": None,
    "created_at": "2026-11-20T10:00:00Z",
    "record": {"name": "_ikiro-challenge.acme.example", "type": "TXT", "value": "ikiro-verify=abc"},
}  # fmt: skip
PROVED = {**DOMAIN, "state": "verified", "verified_at": "2026-11-20T11:00:00Z"}
PASSED: dict[str, Any] = {
    "ok": True, "at": "2026-11-20T12:00:00Z", "by": "usr_acme", "email": "owner@acme.example",
    "claims": {"sub": "00u1", "email_verified": True}, "error": None, "current": True,
}  # fmt: skip
MISSED = {
    **PASSED, "ok": False, "email": None, "claims": {},
    "error": {"code": "sso_email_missing", "detail": "The provider named no address."},
}  # fmt: skip
OIDC: dict[str, Any] = {
    "id": "sso_1", "kind": "oidc", "state": "draft", "enforcing": False, "saml": None, "default_role": "viewer",
    "oidc": {"issuer": "https://login.acme.example", "client_id": "ikiro", "has_secret": True,
             "require_email_verified": False},
    "break_glass_user_id": None, "last_test": None, "created_at": "2026-11-20T10:00:00Z",
    "updated_at": "2026-11-20T10:00:00Z",
}  # fmt: skip
SAML: dict[str, Any] = {
    **OIDC, "kind": "saml", "oidc": None, "saml": {
        "entity_id": "https://idp.acme.example/id", "sso_url": "https://idp.acme.example/sso",
        "metadata_url": "https://idp.acme.example/metadata", "email_attribute": None, "name_attribute": None,
        "certificates": [{"subject": "CN=idp", "fingerprint_sha256": "AA:BB", "expires_at": "2030-01-01T00:00:00Z"}]},
}  # fmt: skip
NEW = {
    "kind": "oidc", "issuer": "https://login.acme.example", "client_id": "ikiro", "client_secret": SECRET,
    "require_email_verified": "1", "default_role": "developer",
}  # fmt: skip
POSTS = (
    ("sso", NEW), ("sso/test", {}), ("sso/domains", {"domain": "acme.example"}), ("sso/domains/dom_1/verify", {}),
    ("sso/domains/dom_1/remove", {}), ("sso/enforce", {"break_glass_user_id": "usr_acme"}), ("sso/disable", {}),
)  # fmt: skip
PEM = "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----"


def sso(connection: Any = None, *domains: Any, included: bool = True) -> tuple[int, Any]:
    base = "https://api.acme.example/accounts"
    return 200, {
        "connection": connection,
        "service_provider": {
            "redirect_uri": f"{base}/oidc/acme/login/callback/", "entity_id": f"{base}/saml/acme/metadata/",
            "acs_url": f"{base}/saml/acme/acs/", "metadata_url": f"{base}/saml/acme/metadata/",
        },
        "sign_in_url": f"{base}/sso/acme/start", "plan": {"included": included, "needs": "business"},
        "domains": list(domains),
    }  # fmt: skip


@pytest.fixture
def gateway(scripted: Scripted) -> Scripted:
    actions = {"sso.manage": True, "members.list": True}
    owners = [
        {"user_id": "usr_acme", "email": "owner@acme.example", "role": "owner", "mfa": True},
        {"user_id": "usr_2", "email": "member@acme.example", "role": "developer", "mfa": False},
    ]
    scripted.on("GET", "/v1/me/permissions", (200, {"role": "owner", "scopes": [], "actions": actions, "why": {}}))
    scripted.on("GET", "/v1/members", (200, {"data": owners, "next_cursor": None}))
    scripted.on("GET", "/v1/sso", sso(OIDC, DOMAIN))
    scripted.on("PUT", "/v1/sso", sso(OIDC, DOMAIN))
    begun = {"test_url": "https://api.acme.example/t/1", "expires_at": "2999-01-01T00:00:00Z"}
    scripted.on("POST", "/v1/sso/test", (200, begun))
    scripted.on("POST", "/v1/sso/enforce", sso({**OIDC, "state": "enforced"}))
    scripted.on("POST", "/v1/sso/disable", sso({**OIDC, "state": "disabled"}))
    scripted.on("POST", "/v1/sso/domains", (201, DOMAIN))
    scripted.on("POST", "/v1/sso/domains/dom_1/verify", (200, PROVED))
    scripted.on("DELETE", "/v1/sso/domains/dom_1", (204, b""))
    return scripted


def writes(gateway: Scripted) -> list[tuple[str, str, Any]]:
    return [
        (call.method, call.path, call.body)
        for call in gateway.calls
        if call.method != "GET" and call.path != "/v1/auth/token"
    ]


def words(page: str) -> str:
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page)))
