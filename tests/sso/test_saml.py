"""Signing in by SAML: real signed responses, and every forgery refused without an account or a session."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from django.test import override_settings
from lxml import etree

from tenants.models import User
from tenants.sso import saml, selectors
from tenants.sso.errors import SignInRefused
from tests.sso.samlidp import Asked, SamlProvider, encoded, read_request
from tests.sso.support import Browser, Company, account_exists, trade

pytestmark = pytest.mark.usefixtures("ready")


@pytest.fixture(scope="module")
def ready(acme: Company, globex: Company, saml_of_acme: SamlProvider, saml_of_globex: SamlProvider) -> None:
    for company, provider in ((acme, saml_of_acme), (globex, saml_of_globex)):
        company.use_saml(provider)
        end = Browser(company).saml_sign_in(provider, company.address("tester"), start=company.test_url())
        assert end.query == {"tested": "ok"}, company.connection()["last_test"]


def refusal(company: Company, answer: Any) -> str | None:
    """Why the answer is refused, in the words that an administrator reads; None for a good one."""
    connection = selectors.connection_of(company.ref.id)
    assert connection is not None
    with override_settings(IKIRO_PUBLIC_URL=company.gateway.base_url):
        try:
            saml.read(connection, encoded(answer))
        except SignInRefused as refused:
            return refused.detail
    return None


@pytest.mark.parametrize("sign", ["assertion", "response"])
def test_newcomer__by_a_signed_answer__is_made_a_member_and_gets_a_session(
    acme: Company, globex: Company, saml_of_acme: SamlProvider, sign: str
) -> None:
    email = acme.address()
    browser = Browser(acme)
    end = browser.saml_sign_in(saml_of_acme, email, sign=sign)
    session = browser.exchange(end.query["code"]).json()["session_token"]
    traded = trade(acme.gateway, session, acme.slug).json()
    assert (traded["user"]["email"], traded["user"]["name"]) == (email, "Member")
    assert acme.members()[email] == "viewer"
    assert email not in globex.members()
    assert trade(acme.gateway, session, globex.slug).status_code == 404


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"sign": "nothing"}, "No Signature found"),
        ({"key": "another"}, "Signature validation failed"),
        ({"audience": "https://globex.example/metadata"}, "is not a valid audience"),
        ({"audience": None}, "names no audience"),
        ({"age_s": 3600}, "expired"),
        ({"recipient": "https://globex.example/acs/"}, "SubjectConfirmation was not found"),
        ({"recipient": "https://globex.example/?x={acs}"}, "for which address"),
        ({"in_response_to": "none"}, "for which request"),
        ({"in_response_to": "_of-nobody"}, None),
    ],
    ids=["unsigned", "wrong-key", "wrong-audience", "no-audience", "expired", "other-recipient", "hidden-recipient",
         "unasked", "other-request"],
)  # fmt: skip
def test_answer__that_is_not_as_it_must_be__signs_nobody_in(
    acme: Company, globex: Company, saml_of_acme: SamlProvider, changes: dict[str, Any], why: str | None
) -> None:
    before = acme.members(), globex.members(), User.objects.count()
    browser = Browser(acme)
    asked = read_request(browser.step(browser.start_url()))
    given = {**changes}
    if "key" in given:
        given["key"] = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    if "recipient" in given:
        given["recipient"] = given["recipient"].format(acs=asked.acs_url)
    answer = saml_of_acme.response(asked, acme.address(), **given)
    found = refusal(acme, answer)
    assert found is None if why is None else why in str(found)
    # Verified or not, it is not what this browser waits for.
    fresh = saml_of_acme.response(asked, acme.address(), **given)
    assert browser.saml(fresh, asked.acs_url).query["error"] in {"sso_failed", "sso_expired"}
    assert (acme.members(), globex.members(), User.objects.count()) == before


@pytest.mark.parametrize(
    ("where", "why"),
    [("extensions", "must contain 1 assertion"), ("signature", "must contain 1 assertion"),
     ("beside", "must contain 1 assertion"), ("confirmation", "SubjectConfirmation")],
)  # fmt: skip
def test_answer__with_a_wrapped_signature__signs_nobody_in(
    acme: Company, globex: Company, saml_of_acme: SamlProvider, where: str, why: str
) -> None:
    email, victim = acme.address(), acme.address("victim")
    browser = Browser(acme)
    asked = read_request(browser.step(browser.start_url()))
    answer = saml_of_acme.wrapped(asked, email, victim, where=where)
    assert why in str(refusal(acme, answer))
    assert browser.saml(answer, asked.acs_url).query == {"error": "sso_failed", "organization": acme.slug}
    assert not account_exists(victim)
    assert not account_exists(email)
    assert set(globex.members()) == {globex.owner.email}


def test_answer__changed_after_signing__signs_nobody_in(
    acme: Company, globex: Company, saml_of_acme: SamlProvider
) -> None:
    browser, email, victim = Browser(acme), acme.address(), acme.address("victim")
    asked = read_request(browser.step(browser.start_url()))
    text = etree.tostring(saml_of_acme.response(asked, email)).replace(email.encode(), victim.encode())
    answer = etree.fromstring(text)
    assert "Signature validation failed" in str(refusal(acme, answer))
    assert browser.saml(answer, asked.acs_url).query["error"] == "sso_failed"
    assert not account_exists(victim)
    assert set(globex.members()) == {globex.owner.email}


def test_answer__brought_twice__counts_once(acme: Company, globex: Company, saml_of_acme: SamlProvider) -> None:
    browser = Browser(acme)
    asked = read_request(browser.step(browser.start_url()))
    email = acme.address()
    answer = saml_of_acme.response(asked, email)
    assert "code" in browser.saml(answer, asked.acs_url).query
    assert refusal(acme, answer) == "This assertion was used before."
    assert browser.saml(answer, asked.acs_url).query["error"] == "sso_expired"
    assert email not in globex.members()


def test_answer__in_another_browser__is_refused(acme: Company, globex: Company, saml_of_acme: SamlProvider) -> None:
    asked = read_request(Browser(acme).step(Browser(acme).start_url()))
    email = acme.address()
    assert Browser(acme).saml(saml_of_acme.response(asked, email), asked.acs_url).query["error"] == "sso_expired"
    assert not account_exists(email)
    assert email not in globex.members()


def test_provider_of_one_organization__cannot_sign_anyone_into_another(
    acme: Company, globex: Company, saml_of_acme: SamlProvider
) -> None:
    browser = Browser(globex)
    asked = read_request(browser.step(browser.start_url()))
    for email in (globex.address(), globex.owner.email):
        end = browser.saml(saml_of_acme.response(asked, email), asked.acs_url)
        assert end.query["error"] in {"sso_failed", "sso_expired"}
    # And with its own organization's request, for somebody of the other's domain.
    end = Browser(acme).saml_sign_in(saml_of_acme, globex.owner.email)
    assert end.query == {"error": "sso_domain_not_verified", "organization": acme.slug}
    assert globex.owner.email not in acme.members()
    assert set(globex.members()) == {globex.owner.email}


@pytest.mark.parametrize(
    ("attributes", "error"),
    [({"email_verified": "false"}, "sso_email_not_verified"), ({"email": "nothing"}, "sso_email_missing")],
)
def test_attributes__of_no_use__sign_nobody_in(
    acme: Company, globex: Company, saml_of_acme: SamlProvider, attributes: dict[str, str], error: str
) -> None:
    email = acme.address()
    end = Browser(acme).saml_sign_in(saml_of_acme, email, attributes=attributes)
    assert end.query == {"error": error, "organization": acme.slug}
    assert not account_exists(email)


def test_answer__without_an_email_attribute__is_read_from_the_name_id(
    acme: Company, globex: Company, saml_of_acme: SamlProvider
) -> None:
    email = acme.address()
    end = Browser(acme).saml_sign_in(
        saml_of_acme, email, uid=email, attributes={"email": ""}, name_id_format="emailAddress"
    )
    assert "code" in end.query
    assert acme.members()[email] == "viewer"
    assert email not in globex.members()


def test_refusal__of_the_provider__is_a_cancelled_sign_in(
    acme: Company, globex: Company, saml_of_acme: SamlProvider
) -> None:
    browser = Browser(acme)
    asked = read_request(browser.step(browser.start_url()))
    answer = saml_of_acme.response(asked, acme.address())
    for status in answer.iter("{*}StatusCode"):
        status.set("Value", "urn:oasis:names:tc:SAML:2.0:status:Responder")
    assert browser.saml(answer, asked.acs_url).query["error"] == "sso_cancelled"


_ENTITY = b'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><r>&x;</r>'
_BODIES: dict[str, Callable[[SamlProvider, Asked], bytes]] = {
    "nothing": lambda provider, asked: b"",
    "no-base64": lambda provider, asked: b"%%%",
    "no-xml": lambda provider, asked: base64.b64encode(b"hello"),
    "entities": lambda provider, asked: base64.b64encode(_ENTITY),
    "deep": lambda provider, asked: base64.b64encode(b"<a>" * 20_000),
    "two-assertions": lambda provider, asked: _twice(provider, asked),
}


def _twice(provider: SamlProvider, asked: Asked) -> bytes:
    answer = provider.response(asked, "member@acme.example")
    answer.append(provider.response(asked, "owner@acme.example").find("{*}Assertion"))
    return base64.b64encode(etree.tostring(answer))


@pytest.mark.parametrize("body", _BODIES)
def test_body__of_any_kind__is_never_a_server_error(
    acme: Company, globex: Company, saml_of_acme: SamlProvider, body: str
) -> None:
    asked = Asked("_" + secrets.token_hex(8), f"{acme.gateway.base_url}/accounts/saml/{acme.slug}/acs/", "x")
    sent = {"SAMLResponse": _BODIES[body](saml_of_acme, asked).decode()}
    answer = httpx.post(asked.acs_url, data=sent)
    assert answer.status_code == 303
    assert Browser(acme).go(asked.acs_url + answer.headers["location"]).query["error"] == "sso_expired"
    assert set(globex.members()) == {globex.owner.email}


def test_metadata_of_ours__is_what_the_api_says(acme: Company, globex: Company) -> None:
    ours = acme.call("GET", "/v1/sso").json()["service_provider"]
    document = etree.fromstring(httpx.get(ours["metadata_url"]).content)
    assert document.get("entityID") == ours["entity_id"]
    assert [one.get("Location") for one in document.iter("{*}AssertionConsumerService")] == [ours["acs_url"]]
    assert globex.slug not in etree.tostring(document).decode()
