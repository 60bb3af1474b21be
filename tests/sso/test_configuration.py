"""Setting up and testing a connection: what is refused and why, what is shown, and what a test keeps."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import connection as database

from gateway.core import crypto
from tenants.models import User
from tenants.sso import selectors
from tenants.sso.models import SsoConnectionRow
from tests.sso.openid import CLIENT_SECRET, OpenIdProvider
from tests.sso.samlidp import SamlProvider
from tests.sso.support import Browser, Company, account_exists

GOOD = {"issuer": "https://issuer.acme.example", "client_id": "c", "client_secret": "s"}


def put(company: Company, **body: Any) -> Any:
    return company.call("PUT", "/v1/sso", body)


def test_before_anything__the_page_has_what_an_administrator_needs(acme: Company, globex: Company) -> None:
    shown = globex.call("GET", "/v1/sso").json()
    base = globex.gateway.base_url
    assert shown["connection"] is None
    assert shown["sign_in_url"] == f"{base}/accounts/sso/{globex.slug}/start"
    assert shown["service_provider"] == {
        "redirect_uri": f"{base}/accounts/oidc/{globex.slug}/login/callback/",
        "entity_id": f"{base}/accounts/saml/{globex.slug}/metadata/",
        "acs_url": f"{base}/accounts/saml/{globex.slug}/acs/",
        "metadata_url": f"{base}/accounts/saml/{globex.slug}/metadata/",
    }
    assert shown["plan"] == {"included": True, "needs": "business"}
    assert [one["domain"] for one in shown["domains"]] == [globex.domain]
    assert acme.slug not in json.dumps(shown)


def test_client_secret__goes_in_and_never_comes_out(acme: Company, globex: Company, issuer: OpenIdProvider) -> None:
    acme.use_oidc(issuer)
    for path in ("/v1/sso", "/v1/audit?limit=200", "/v1/sso/domains"):
        assert CLIENT_SECRET not in acme.call("GET", path).text
    assert acme.connection()["oidc"] == {
        "issuer": issuer.url, "client_id": "ikiro-client", "has_secret": True, "require_email_verified": True,
    }  # fmt: skip
    with database.cursor() as cursor:
        cursor.execute("SELECT c::text FROM public.tenants_sso_connection c WHERE org_id = %s", [acme.ref.id])
        assert CLIENT_SECRET not in cursor.fetchone()[0]
    row = SsoConnectionRow.objects.get(organization_id=acme.ref.id)
    sealed = bytes(row.client_secret_ciphertext), row.client_secret_kid
    assert crypto.unseal(*sealed, *selectors.sealed_at(row.pk)).reveal() == CLIENT_SECRET
    other = SsoConnectionRow(organization_id=globex.ref.id)
    with pytest.raises(crypto.Unreadable):
        crypto.unseal(*sealed, *selectors.sealed_at(other.pk))


def test_same_configuration__put_again__stays_tested(acme: Company, globex: Company, issuer: OpenIdProvider) -> None:
    acme.tested_with(issuer)
    acme.use_oidc(issuer)
    assert acme.connection()["state"] == "tested"
    acme.use_oidc(issuer, client_secret=None)
    assert acme.connection()["state"] == "tested"
    acme.use_oidc(issuer, client_secret="another")
    assert (acme.connection()["state"], acme.connection()["last_test"]["current"]) == ("draft", False)
    assert globex.call("GET", "/v1/sso").json()["connection"] is None


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        ({"kind": "oidc"}, "invalid_request", "#/oidc"),
        ({"kind": "saml"}, "invalid_request", "#/saml"),
        ({"kind": "oidc", "oidc": {**GOOD, "issuer": "http://issuer.acme.example"}}, "sso_issuer_invalid",
         "#/oidc/issuer"),
        ({"kind": "oidc", "oidc": {**GOOD, "issuer": "https://u:p@acme.example"}}, "sso_issuer_invalid",
         "#/oidc/issuer"),
        ({"kind": "oidc", "oidc": {**GOOD, "issuer": "https://acme.example/?x=1"}}, "sso_issuer_invalid",
         "#/oidc/issuer"),
        ({"kind": "oidc", "oidc": {**GOOD, "issuer": "https://a.example/.well-known/openid-configuration"}},
         "sso_issuer_invalid", "#/oidc/issuer"),
        ({"kind": "oidc", "oidc": {**GOOD, "client_secret": None}}, "sso_secret_missing", "#/oidc/client_secret"),
        ({"kind": "saml", "saml": {"metadata_xml": "hello"}}, "sso_metadata_invalid", "#/saml/metadata_xml"),
        ({"kind": "saml", "saml": {"metadata_xml": "<a/>"}}, "sso_metadata_invalid", "#/saml/metadata_xml"),
        ({"kind": "saml", "saml": {}}, "sso_metadata_invalid", "#/saml/entity_id"),
        ({"kind": "saml", "saml": {"entity_id": "x", "sso_url": "https://idp.example/"}}, "sso_metadata_invalid",
         "#/saml/certificates"),
        ({"kind": "saml", "saml": {"entity_id": "x", "sso_url": "https://idp.example/", "certificates": ["x"]}},
         "sso_metadata_invalid", "#/saml/certificates/0"),
        ({"kind": "saml", "saml": {"entity_id": "x", "sso_url": "javascript:alert(1)", "certificates": []}},
         "sso_metadata_invalid", "#/saml/sso_url"),
    ],
)  # fmt: skip
def test_configuration__that_cannot_work__names_its_field_and_changes_nothing(
    acme: Company, globex: Company, body: dict[str, Any], code: str, pointer: str
) -> None:
    answer = put(globex, **body)
    assert (answer.status_code, answer.json()["code"]) == (422, code), answer.text
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert not SsoConnectionRow.objects.filter(organization_id=globex.ref.id).exists()
    assert acme.call("GET", "/v1/sso").status_code == 200


@pytest.mark.parametrize("role", ["owner", "admin", "nobody"])
def test_default_role__that_only_people_give__is_refused(acme: Company, globex: Company, role: str) -> None:
    answer = put(globex, kind="oidc", oidc=GOOD, default_role=role)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "#/default_role")
    assert not SsoConnectionRow.objects.filter(organization_id=globex.ref.id).exists()
    assert acme.call("GET", "/v1/sso").status_code == 200


def test_saml__from_a_metadata_address__is_fetched_through_the_guard(
    acme: Company, globex: Company, issuer: OpenIdProvider, saml_of_acme: SamlProvider
) -> None:
    issuer.is_person("")
    issuer.files["/metadata.xml"] = saml_of_acme.metadata()
    answer = put(acme, kind="saml", saml={"metadata_url": f"{issuer.url}/metadata.xml"}, default_role="developer")
    assert answer.status_code == 200, answer.text
    shown = answer.json()["connection"]
    assert (shown["saml"]["entity_id"], shown["saml"]["sso_url"]) == (saml_of_acme.entity_id, saml_of_acme.sso_url)
    assert [one["subject"] for one in shown["saml"]["certificates"]] == ["CN=idp.acme.example"]
    assert (shown["default_role"], shown["state"], shown["oidc"]) == ("developer", "draft", None)
    for url, reason in (
        ("https://10.1.2.3/metadata.xml", "egress_refused"),
        (f"{issuer.url}/nothing-here", "upstream_status"),
    ):
        refused = put(acme, kind="saml", saml={"metadata_url": url})
        assert (refused.status_code, refused.json()["code"]) == (422, "sso_metadata_unreachable")
        assert refused.json()["reason"] == reason
    assert acme.connection()["saml"]["metadata_url"] == f"{issuer.url}/metadata.xml"
    assert globex.call("GET", "/v1/sso").json()["connection"] is None


def test_test__that_succeeds__keeps_what_came_and_signs_nobody_in(
    acme: Company, globex: Company, issuer: OpenIdProvider
) -> None:
    acme.use_oidc(issuer)
    email = acme.address()
    issuer.is_person(email, groups=["staff"], access_token="hidden", sid="hidden")
    before = User.objects.count(), acme.members(), globex.members()
    browser, url = Browser(acme), acme.test_url()
    end = browser.go(url)
    assert (end.path, end.query) == (f"/o/{acme.slug}/sso", {"tested": "ok"})
    found = acme.connection()["last_test"]
    assert (found["ok"], found["email"], found["by"], found["error"]) == (True, email, acme.owner.public_id, None)
    assert (found["claims"]["groups"], found["claims"]["email"]) == (["staff"], email)
    assert not {"nonce", "sid", "access_token"} & set(found["claims"])
    assert (User.objects.count(), acme.members(), globex.members()) == before
    assert browser.go(url).query["error"] == "sso_expired"
    assert acme.connection()["state"] == "tested"


def test_test__that_fails__says_why_in_clear_words(acme: Company, globex: Company, issuer: OpenIdProvider) -> None:
    acme.use_oidc(issuer, client_id="never-tested")
    for fault, token, code, words in (
        ("", {}, "sso_failed", "invalid_grant"),  # the provider knows another client
        ("redirect", {}, "sso_provider_unreachable", "redirects are not followed (egress_refused)"),
        ("denied", {}, "sso_cancelled", "stopped at the identity provider"),
    ):
        issuer.is_person(acme.address())
        issuer.fault, issuer.token = fault, token
        end = Browser(acme).go(acme.test_url())
        assert (end.path, end.query) == (f"/o/{acme.slug}/sso", {"tested": "failed"})
        found = acme.connection()["last_test"]
        assert (found["ok"], found["error"]["code"]) == (False, code)
        assert words in found["error"]["detail"]
        assert not account_exists(issuer.person["email"])
    assert acme.connection()["state"] == "draft"
    assert globex.call("GET", "/v1/sso").json()["connection"] is None


def test_provider__in_a_private_network__is_refused_with_the_reason_named(acme: Company, globex: Company) -> None:
    for issuer in ("https://10.1.2.3", "https://169.254.169.254/latest", "https://192.168.1.1"):
        assert put(acme, kind="oidc", oidc={**GOOD, "issuer": issuer}).status_code == 200
        assert Browser(acme).go(acme.test_url()).query == {"tested": "failed"}
        error = acme.connection()["last_test"]["error"]
        assert error["code"] == "sso_provider_unreachable"
        assert "is not public" in error["detail"]
        assert "egress_refused" in error["detail"]
    assert globex.call("GET", "/v1/sso").json()["connection"] is None


def test_test__begun_before_a_change__counts_for_nothing(
    acme: Company, globex: Company, issuer: OpenIdProvider
) -> None:
    acme.use_oidc(issuer, client_secret="first")
    issuer.is_person(acme.address())
    url, browser = acme.test_url(), Browser(acme)
    callback = browser.step(browser.step(url))
    acme.use_oidc(issuer)
    assert browser.go(callback).query == {"tested": "failed"}
    assert acme.connection()["last_test"]["error"]["code"] == "sso_expired"
    assert acme.connection()["state"] == "draft"
    assert browser.go(acme.test_url().replace(acme.slug, globex.slug)).query["error"] == "sso_unavailable"
