"""Enforcing: only what was tested, with a way out, at once for everybody, and only as long as the plan says so."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gateway.core.journal import OPERATOR
from tenants import keys, services
from tenants.context import scope
from tenants.models import User
from tests.factories.people import member, sign_in, user_token
from tests.harness import eventually
from tests.sso.openid import OpenIdProvider
from tests.sso.support import Browser, Company, trade


@pytest.fixture
def tested(acme: Company, issuer: OpenIdProvider) -> Iterator[Company]:
    """Acme with a tested connection, and without enforcement afterwards."""
    acme.tested_with(issuer)
    yield acme
    services.plan_set(acme.ref, "business", actor=OPERATOR)
    eventually(lambda: acme.call("POST", "/v1/sso/disable").status_code == 200)


def refused(company: Company, token: str) -> str | None:
    answer = company.call("GET", "/v1/me", token=token)
    return answer.json()["code"] if answer.status_code == 403 else None


def sso_session(company: Company, issuer: OpenIdProvider, email: str) -> str:
    issuer.is_person(email)
    browser = Browser(company)
    return str(browser.exchange(browser.go().query["code"]).json()["session_token"])


def test_enforcing__before_this_configuration_was_tested__is_refused(
    acme: Company, globex: Company, issuer: OpenIdProvider
) -> None:
    assert globex.enforce().json()["code"] == "sso_not_configured"
    acme.use_oidc(issuer)
    answer = acme.enforce()
    assert (answer.status_code, answer.json()["code"]) == (409, "sso_not_tested")
    acme.tested_with(issuer)
    acme.use_oidc(issuer, client_id="another-client")
    assert acme.connection()["state"] == "draft"
    assert acme.connection()["last_test"]["current"] is False
    assert acme.enforce().json()["code"] == "sso_not_tested"
    assert acme.connection()["state"] == "draft"
    acme.use_oidc(issuer, client_secret=None)


def test_break_glass__who_could_not_get_in__is_refused(tested: Company, globex: Company) -> None:
    developer, bare = member(tested.ref, "developer"), member(tested.ref, "owner")
    user = User.objects.get(pk=bare.id)
    user.set_unusable_password()
    user.save()
    for someone, mfa in ((developer, False), (globex.owner, False), (bare, False), (tested.owner, True)):
        body = {"break_glass_user_id": someone.public_id, "require_mfa": mfa}
        answer = tested.call("POST", "/v1/sso/enforce", body)
        assert (answer.status_code, answer.json()["code"]) == (409, "break_glass_invalid")
    assert tested.connection()["state"] == "tested"


def test_enforced__sessions_by_password__end_within_a_second_but_the_owners(
    tested: Company, globex: Company, issuer: OpenIdProvider
) -> None:
    developer = member(tested.ref, "developer", domain=tested.domain)
    session = sign_in(developer)
    token = trade(tested.gateway, session, tested.slug).json()["token"]
    assert refused(tested, token) is None
    answer = tested.enforce()
    assert (answer.status_code, answer.json()["connection"]["enforcing"]) == (200, True)
    eventually(lambda: refused(tested, token) == "sso_required", within=5)
    denied = trade(tested.gateway, session, tested.slug)
    assert (denied.status_code, denied.json()["code"]) == (403, "sso_required")
    assert denied.json()["organization"] == tested.slug
    assert denied.json()["sso_url"] == tested.call("GET", "/v1/sso").json()["sign_in_url"]
    assert trade(tested.gateway, session, None).status_code == 200
    # The same person by the organization's provider, the break-glass owner by password, and keys go on.
    by_sso = trade(tested.gateway, sso_session(tested, issuer, developer.email), tested.slug)
    assert refused(tested, by_sso.json()["token"]) is None
    owner = trade(tested.gateway, sign_in(tested.owner), tested.slug)
    assert refused(tested, owner.json()["token"]) is None
    with scope(tested.ref):
        key = keys.create(name="k", mode="test", actor=OPERATOR)
    assert eventually(lambda: tested.call("GET", "/v1/me", token=key.secret).status_code == 200)
    # Globex is not concerned.
    assert refused(globex, user_token(globex.owner, globex.ref)) is None
    assert {"sso.configured", "sso.tested", "sso.enforced"} <= set(tested.audit())


def test_enforced__changes_that_would_lock_everybody_out__are_refused(
    tested: Company, globex: Company, issuer: OpenIdProvider
) -> None:
    assert tested.enforce().status_code == 200
    body = {"issuer": issuer.url, "client_id": "another", "client_secret": "another"}
    put = tested.call("PUT", "/v1/sso", {"kind": "oidc", "oidc": body})
    assert (put.status_code, put.json()["code"]) == (409, "sso_enforced")
    domain = next(one for one in tested.call("GET", "/v1/sso/domains").json()["data"] if one["state"] == "verified")
    gone = tested.call("DELETE", f"/v1/sso/domains/{domain['id']}")
    assert (gone.status_code, gone.json()["code"]) == (409, "sso_enforced")
    second = member(tested.ref, "owner", domain=tested.domain)
    by_sso = trade(tested.gateway, sso_session(tested, issuer, second.email), tested.slug).json()["token"]
    for method, more in (("DELETE", None), ("PATCH", {"role": "viewer"})):
        answer = tested.call(method, f"/v1/members/{tested.owner.public_id}", more, token=by_sso)
        assert (answer.status_code, answer.json()["code"]) == (409, "break_glass_owner")
    assert tested.members()[tested.owner.email] == "owner"
    assert tested.connection()["state"] == "enforced"
    assert tested.connection()["oidc"]["client_id"] == "ikiro-client"
    assert set(globex.members()) == {globex.owner.email}


def test_disabled__passwords_count_again_and_nobody_comes_by_sso(
    tested: Company, globex: Company, issuer: OpenIdProvider
) -> None:
    developer = member(tested.ref, "developer", domain=tested.domain)
    token = user_token(developer, tested.ref)
    assert tested.enforce().status_code == 200
    eventually(lambda: refused(tested, token) == "sso_required", within=5)
    issuer.is_person(tested.address())
    waiting = Browser(tested).go()
    answer = tested.call("POST", "/v1/sso/disable")
    assert (answer.status_code, answer.json()["connection"]["state"]) == (200, "disabled")
    eventually(lambda: refused(tested, token) is None, within=5)
    assert Browser(tested).go().query["error"] == "sso_unavailable"
    assert Browser(tested).exchange(waiting.query["code"]).json()["code"] == "sso_code_invalid"
    assert tested.call("GET", f"/v1/sso/discover?email={tested.owner.email}").json()["sso"] is False
    assert "sso.disabled" in tested.audit()
    assert globex.call("POST", "/v1/sso/disable").json()["code"] == "sso_not_configured"


def test_plan_without_sso__stops_the_enforcement_and_keeps_the_configuration(
    tested: Company, globex: Company, issuer: OpenIdProvider
) -> None:
    developer = member(tested.ref, "developer", domain=tested.domain)
    token = user_token(developer, tested.ref)
    assert tested.enforce().status_code == 200
    eventually(lambda: refused(tested, token) == "sso_required", within=5)
    services.plan_set(tested.ref, "pro", actor=OPERATOR)
    eventually(lambda: refused(tested, token) is None, within=5)
    assert trade(tested.gateway, sign_in(developer), tested.slug).status_code == 200
    shown = tested.call("GET", "/v1/sso").json()
    assert shown["plan"] == {"included": False, "needs": "business"}
    assert (shown["connection"]["state"], shown["connection"]["enforcing"]) == ("enforced", False)
    body = {"kind": "oidc", "oidc": {"issuer": issuer.url, "client_id": "x", "client_secret": "y"}}
    domain = shown["domains"][0]["id"]
    for method, path, more in (
        ("PUT", "/v1/sso", body), ("POST", "/v1/sso/test", None), ("POST", "/v1/sso/disable", None),
        ("POST", "/v1/sso/enforce", {"break_glass_user_id": tested.owner.public_id}),
        ("POST", "/v1/sso/domains", {"domain": "more.example"}), ("POST", f"/v1/sso/domains/{domain}/verify", None),
        ("DELETE", f"/v1/sso/domains/{domain}", None),
    ):  # fmt: skip
        answer = tested.call(method, path, more)
        assert (answer.status_code, answer.json()["code"]) == (403, "plan_required"), (method, path)
    services.plan_set(tested.ref, "business", actor=OPERATOR)
    eventually(lambda: refused(tested, token) == "sso_required", within=5)
    assert refused(globex, user_token(globex.owner, globex.ref)) is None


@pytest.mark.parametrize("role", ["developer", "reviewer", "billing", "viewer"])
def test_role__that_does_not_manage_sso__is_refused_everywhere(acme: Company, globex: Company, role: str) -> None:
    token = user_token(member(acme.ref, role), acme.ref)
    before = acme.call("GET", "/v1/sso").json()
    for method, path in (
        ("GET", "/v1/sso"), ("PUT", "/v1/sso"), ("POST", "/v1/sso/test"), ("POST", "/v1/sso/enforce"),
        ("POST", "/v1/sso/disable"), ("GET", "/v1/sso/domains"), ("POST", "/v1/sso/domains"),
    ):  # fmt: skip
        answer = acme.call(method, path, {} if method in ("PUT", "POST") else None, token=token)
        assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing"), (method, path)
    assert acme.call("GET", "/v1/sso").json() == before
    assert set(globex.members()) == {globex.owner.email}


def test_key__even_a_full_one__cannot_touch_sso(acme: Company, globex: Company) -> None:
    with scope(acme.ref):
        key = keys.create(name="full", mode="live", actor=OPERATOR)
    answer = acme.call("GET", "/v1/sso", token=key.secret)
    assert answer.status_code == 403
    assert answer.json()["code"] in {"scope_missing", "user_token_required"}
    assert globex.call("GET", "/v1/sso").status_code == 200
