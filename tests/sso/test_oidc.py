"""Signing in by OpenID Connect, over HTTP, with a provider on a real socket."""

from __future__ import annotations

import time
from typing import Any

import httpx
import jwt
import pytest
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount

from gateway.core import clock
from tenants.models import MembershipRow, User
from tests.factories.people import member, person, sign_in
from tests.sso.openid import OpenIdProvider
from tests.sso.support import Browser, Company, account_exists, trade

pytestmark = pytest.mark.usefixtures("ready")


@pytest.fixture(scope="module")
def ready(acme: Company, globex: Company, issuer: OpenIdProvider) -> None:
    acme.tested_with(issuer)


def test_newcomer__of_a_verified_domain__is_made_a_member_and_gets_a_session(
    acme: Company, globex: Company, issuer: OpenIdProvider
) -> None:
    email = acme.address()
    issuer.is_person(email)
    browser = Browser(acme)
    end = browser.go(browser.start_url(next=f"/o/{acme.slug}/keys"))
    assert (end.path, end.query["organization"], end.query["next"]) == ("/login/sso", acme.slug, f"/o/{acme.slug}/keys")
    answer = browser.exchange(end.query["code"])
    assert answer.status_code == 200, answer.text
    assert answer.json()["organization"] == acme.slug
    traded = trade(acme.gateway, answer.json()["session_token"], acme.slug).json()
    assert (traded["user"]["email"], traded["organization"]["role"]) == (email, "viewer")
    claims = jwt.decode(traded["token"], options={"verify_signature": False})
    assert claims["amr"] == ["sso"]
    assert claims["sso"][0].startswith("sso_")
    assert acme.call("GET", "/v1/me", token=traded["token"]).json()["user"]["email"] == email
    assert EmailAddress.objects.get(email=email).verified
    assert not User.objects.get(email=email).has_usable_password()
    assert email not in globex.members()
    assert {"member.joined", "member.signed_in"} <= set(acme.audit())


def test_second_sign_in__of_the_same_person__is_the_same_account(acme: Company, issuer: OpenIdProvider) -> None:
    issuer.is_person(acme.address())
    first = Browser(acme).go()
    issuer.person["email"] = acme.address("renamed")
    second = Browser(acme).go()
    assert "code" in first.query
    assert "code" in second.query
    assert not account_exists(issuer.person["email"])
    assert SocialAccount.objects.filter(uid=issuer.person["sub"]).count() == 1


def test_existing_account__with_the_address__is_linked_and_keeps_its_password_and_role(
    acme: Company, issuer: OpenIdProvider
) -> None:
    known = member(acme.ref, "developer", domain=acme.domain)
    issuer.is_person(known.email)
    browser = Browser(acme)
    session = browser.exchange(browser.go().query["code"]).json()["session_token"]
    assert trade(acme.gateway, session, acme.slug).json()["user"]["id"] == known.public_id
    assert acme.members()[known.email] == "developer"
    assert User.objects.get(pk=known.id).has_usable_password()
    # The provider opens its organization, not the account's own credentials.
    url = f"{acme.gateway.base_url}/_allauth/app/v1/account/authenticators/webauthn"
    answer = httpx.get(url, headers={"x-session-token": session})
    assert answer.status_code == 401
    assert "reauthenticate" in [flow["id"] for flow in answer.json()["data"]["flows"]]


def test_account_waiting_for_its_proof__is_taken_from_whoever_signed_up_with_it(
    acme: Company, issuer: OpenIdProvider
) -> None:
    squatter = person(email=acme.address())
    EmailAddress.objects.filter(user_id=squatter.id).update(verified=False)
    session = sign_in(squatter)
    issuer.is_person(squatter.email)
    assert "code" in Browser(acme).go().query
    taken = User.objects.get(pk=squatter.id)
    assert not taken.has_usable_password()
    assert taken.name == "Member"
    assert trade(acme.gateway, session, None).status_code == 401


@pytest.mark.parametrize(
    ("claims", "error"),
    [
        ({"email": "member@globex.example"}, "sso_domain_not_verified"),
        ({"email": "member@sub.{domain}"}, "sso_domain_not_verified"),
        ({"email_verified": False}, "sso_email_not_verified"),
        ({"email_verified": None}, "sso_email_not_verified"),
        ({"email": None}, "sso_email_missing"),
        ({"email": "not an address"}, "sso_email_missing"),
        ({"nonce": "another"}, "sso_failed"),
        ({"nonce": None}, "sso_failed"),
        ({"iss": "https://issuer.globex.example"}, "sso_failed"),
        ({"aud": "another-client"}, "sso_failed"),
        ({"aud": ["ikiro-client", "another-client"], "azp": "another-client"}, "sso_failed"),
        ({"exp": int(time.time()) - 600}, "sso_failed"),
        ({"sub": ""}, "sso_failed"),
    ],
)
def test_token__that_says_something_wrong__signs_nobody_in(
    acme: Company, globex: Company, issuer: OpenIdProvider, claims: dict[str, Any], error: str
) -> None:
    before = acme.members(), globex.members(), User.objects.count(), SocialAccount.objects.count()
    issuer.is_person(acme.address())
    issuer.token = {
        name: value.format(domain=acme.domain) if isinstance(value, str) else value for name, value in claims.items()
    }
    end = Browser(acme).go()
    assert (end.path, end.query) == ("/login/sso", {"error": error, "organization": acme.slug})
    assert (acme.members(), globex.members(), User.objects.count(), SocialAccount.objects.count()) == before


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("wrong_key", "sso_failed"),
        ("alg_none", "sso_failed"),
        ("token_refused", "sso_failed"),
        ("other_issuer_answer", "sso_failed"),
        ("denied", "sso_cancelled"),
        ("redirect", "sso_provider_unreachable"),
    ],
)
def test_provider__that_does_something_wrong__signs_nobody_in(
    acme: Company, issuer: OpenIdProvider, fault: str, error: str
) -> None:
    issuer.is_person(acme.address())
    issuer.fault = fault
    end = Browser(acme).go()
    assert end.query == {"error": error, "organization": acme.slug}
    assert not account_exists(issuer.person["email"])


@pytest.mark.parametrize(
    "document",
    [
        {"issuer": "https://issuer.globex.example"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"token_endpoint": "http://issuer.globex.example/token"},
        {"jwks_uri": None},
    ],
)
def test_configuration_document__that_leads_elsewhere__is_refused(
    acme: Company, issuer: OpenIdProvider, document: dict[str, Any]
) -> None:
    issuer.is_person(acme.address())
    issuer.document = document
    assert Browser(acme).go().query["error"] == "sso_failed"
    assert "/token" not in issuer.seen


def test_address__only_from_userinfo_of_the_same_person__counts(acme: Company, issuer: OpenIdProvider) -> None:
    email = acme.address()
    issuer.is_person(email)
    issuer.token = {"email": None, "email_verified": None}
    issuer.userinfo = {"sub": "somebody else", "email": email, "email_verified": True}
    assert Browser(acme).go().query["error"] == "sso_failed"
    issuer.userinfo["sub"] = issuer.person["sub"]
    assert "code" in Browser(acme).go().query


def test_callback__in_another_browser_or_twice__is_refused(acme: Company, issuer: OpenIdProvider) -> None:
    issuer.is_person(acme.address())
    browser = Browser(acme)
    callback = browser.step(browser.step(browser.start_url()))
    assert Browser(acme).go(callback).query["error"] == "sso_expired"
    assert "code" in browser.go(callback).query
    assert browser.go(callback).query["error"] == "sso_expired"


def test_callback__of_another_organization__is_refused(acme: Company, globex: Company, issuer: OpenIdProvider) -> None:
    globex.use_oidc(issuer)
    issuer.is_person(acme.address())
    browser = Browser(acme)
    callback = browser.step(browser.step(browser.start_url()))
    end = browser.go(callback.replace(acme.slug, globex.slug))
    assert end.query == {"error": "sso_expired", "organization": globex.slug}
    assert not account_exists(issuer.person["email"])
    assert set(globex.members()) == {globex.owner.email}


def test_code__used_twice_or_by_another_browser__gives_no_session(acme: Company, issuer: OpenIdProvider) -> None:
    issuer.is_person(acme.address())
    browser = Browser(acme)
    code = browser.go().query["code"]
    refused = browser.exchange(code, verifier="x" * 64)
    assert (refused.status_code, refused.json()["code"]) == (400, "sso_code_invalid")
    assert browser.exchange(code).json()["code"] == "sso_code_invalid"  # the attempt has used it up
    code = browser.go().query["code"]
    assert browser.exchange(code).status_code == 200
    assert browser.exchange(code).json()["code"] == "sso_code_invalid"
    assert browser.exchange("invented").json()["code"] == "sso_code_invalid"
    # A code that was begun without a challenge is of no use to a browser that began with one.
    unbound = browser.start_url(challenge="")
    assert browser.exchange(browser.go(unbound).query["code"]).json()["code"] == "sso_code_invalid"
    assert browser.exchange(browser.go(unbound).query["code"], verifier="").status_code == 200


def test_removed_and_deactivated__stay_out(acme: Company, issuer: OpenIdProvider) -> None:
    removed, inactive = member(acme.ref, domain=acme.domain), member(acme.ref, domain=acme.domain)
    MembershipRow.objects.filter(user_id=removed.id).update(removed_at=clock.now())
    User.objects.filter(pk=inactive.id).update(is_active=False)
    issuer.is_person(removed.email)
    assert Browser(acme).go().query["error"] == "sso_membership_removed"
    issuer.is_person(inactive.email)
    assert Browser(acme).go().query["error"] == "sso_account_inactive"
    assert removed.email not in acme.members()


def test_session_of_one_provider__for_another_organization__is_refused(
    acme: Company, globex: Company, issuer: OpenIdProvider
) -> None:
    both = member(acme.ref, domain=acme.domain)
    MembershipRow.objects.create(organization_id=globex.ref.id, user_id=both.id, role="owner")
    issuer.is_person(both.email)
    browser = Browser(acme)
    session = browser.exchange(browser.go().query["code"]).json()["session_token"]
    assert trade(acme.gateway, session, acme.slug).status_code == 200
    refused = trade(acme.gateway, session, globex.slug)
    assert (refused.status_code, refused.json()["code"]) == (403, "sso_other_organization")
    assert trade(acme.gateway, sign_in(both), globex.slug).status_code == 200
    MembershipRow.objects.filter(organization_id=globex.ref.id, user_id=both.id).delete()


def test_account__whose_address_left_the_domain__is_out_of_the_providers_reach(
    acme: Company, issuer: OpenIdProvider
) -> None:
    email = acme.address()
    issuer.is_person(email)
    assert "code" in Browser(acme).go().query
    moved = User.objects.get(email=email)
    moved.email = "moved-" + email.replace(acme.domain, "globex.example")
    moved.save()
    EmailAddress.objects.filter(user=moved).update(email=moved.email)
    assert "code" in Browser(acme).go().query
    assert User.objects.get(email=email).pk != moved.pk
    assert SocialAccount.objects.get(uid=issuer.person["sub"]).user_id != moved.pk


def test_start__of_nobody_or_with_an_odd_way_back__leads_nowhere_else(
    acme: Company, globex: Company, issuer: OpenIdProvider
) -> None:
    issuer.is_person(acme.address())
    browser = Browser(acme)
    for odd in ("//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)"):
        assert "next" not in browser.go(browser.start_url(next=odd)).query
    nobody = f"{acme.gateway.base_url}/accounts/sso/nobody-here/start"
    assert browser.go(nobody).query == {"error": "sso_unavailable", "organization": "nobody-here"}


def test_discovery__of_addresses__looks_at_the_domain_alone(acme: Company, globex: Company) -> None:
    def discover(email: str) -> Any:
        return acme.call("GET", f"/v1/sso/discover?email={email}").json()

    known = {
        "sso": True,
        "organization": {"slug": acme.slug, "name": "Acme"},
        "start_url": f"{acme.gateway.base_url}/accounts/sso/{acme.slug}/start",
    }
    assert discover(acme.owner.email) == discover(f"nobody@{acme.domain.upper()}") == known
    unknown = {"sso": False, "organization": None, "start_url": None}
    assert discover("somebody@example.org") == discover(globex.owner.email) == discover("odd") == unknown
