"""Single sign-on set up in the console: each state in words, the connection's form, a secret that goes one way only."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.console.conftest import Browser
from tests.console.organization.sso_support import (
    DOMAIN,
    NEW,
    OIDC,
    PEM,
    POSTS,
    SAML,
    SECRET,
    gateway,
    sso,
    writes,
)
from tests.console.scripted import Scripted, problem

__all__ = ["gateway"]


def test_sso__before_anything__shows_what_the_provider_must_know(browser: Browser, gateway: Scripted) -> None:
    gateway.on("GET", "/v1/sso", sso())
    page = browser.sign_in("acme").get("/o/acme/sso").content.decode()
    assert 'data-copy="https://api.acme.example/accounts/oidc/acme/login/callback/"' in page
    assert 'data-copy="https://api.acme.example/accounts/saml/acme/acs/"' in page
    assert "Not set up: members sign in with their passwords." in page
    assert 'name="issuer"' in page
    assert "Test in a new tab" not in page
    assert 'name="metadata_url"' in browser.get("/o/acme/sso", {"kind": "saml"}).content.decode()


@pytest.mark.parametrize(
    ("connection", "said"),
    [
        (OIDC, "Draft: nobody signs in by it until a test has succeeded."),
        ({**OIDC, "state": "tested"}, "Tested: members may sign in by it"),
        ({**OIDC, "state": "enforced", "enforcing": True}, "Enforced: members come in by single sign-on alone"),
        ({**OIDC, "state": "enforced"}, "Enforced, but the plan does not include it any more"),
        ({**SAML, "state": "disabled"}, "Switched off: nobody signs in by it"),
    ],
)
def test_sso__in_each_state__says_it_in_a_sentence(
    connection: Any, said: str, browser: Browser, gateway: Scripted
) -> None:
    gateway.on("GET", "/v1/sso", sso(connection))
    page = browser.sign_in("acme").get("/o/acme/sso").content.decode()
    assert said in page
    assert ("Save configuration" in page) == (connection["state"] != "enforced")


def test_configuration__of_openid_connect__sends_the_secret_and_shows_it_nowhere(
    browser: Browser, gateway: Scripted
) -> None:
    answer = browser.sign_in("acme").post("/o/acme/sso", NEW)
    assert (answer.status_code, answer["Location"]) == (303, "/o/acme/sso")
    body = {"issuer": "https://login.acme.example", "client_id": "ikiro", "client_secret": SECRET}
    sent = {"kind": "oidc", "oidc": {**body, "require_email_verified": True}, "default_role": "developer"}
    assert writes(gateway) == [("PUT", "/v1/sso", sent)]
    page = browser.get("/o/acme/sso").content.decode()
    assert SECRET not in page
    assert "One is stored." in page
    assert not re.search(r'name="require_email_verified"\s+value="1"\s+checked', page)  # as it is stored
    assert SECRET not in str(browser.session)


def test_configuration__without_a_new_secret__keeps_the_stored_one(browser: Browser, gateway: Scripted) -> None:
    browser.sign_in("acme").post("/o/acme/sso", {**NEW, "client_secret": "", "require_email_verified": ""})
    [(_, _, body)] = writes(gateway)
    assert "client_secret" not in body["oidc"]
    assert body["oidc"]["require_email_verified"] is False


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"metadata_url": "https://idp.acme.example/m"}, {"metadata_url": "https://idp.acme.example/m"}),
        ({"metadata_xml": "<x/>", "email_attribute": "mail"}, {"metadata_xml": "<x/>", "email_attribute": "mail"}),
        ({"entity_id": "id", "sso_url": "https://idp.acme.example/s",
          "certificates": PEM.format("one") + "\n" + PEM.format("two")},
         {"entity_id": "id", "sso_url": "https://idp.acme.example/s",
          "certificates": [PEM.format("one"), PEM.format("two")]}),
    ],
)  # fmt: skip
def test_configuration__of_saml__takes_each_way_of_saying_it(
    given: dict[str, str], expected: dict[str, Any], browser: Browser, gateway: Scripted
) -> None:
    answer = browser.sign_in("acme").post("/o/acme/sso", {"kind": "saml", "default_role": "viewer", **given})
    assert answer.status_code == 303
    assert writes(gateway) == [("PUT", "/v1/sso", {"kind": "saml", "saml": expected, "default_role": "viewer"})]


@pytest.mark.parametrize(
    ("sent", "refusal", "field", "message"),
    [
        (NEW, problem(400, "sso_issuer_invalid", errors=[{"pointer": "#/oidc/issuer", "message": "https only"}]),
         "issuer", "https only"),
        (NEW, problem(422, "sso_secret_missing"), "client_secret", "Detail of sso_secret_missing."),
        (NEW, problem(409, "sso_enforced"), "", "Detail of sso_enforced."),
        ({"kind": "saml", "entity_id": "x", "certificates": "y"},
         problem(400, "sso_metadata_invalid", errors=[{"pointer": "#/saml/certificates/0", "message": "no PEM"}]),
         "certificates", "no PEM"),
        ({"kind": "saml", "metadata_url": "https://x.example"}, problem(422, "sso_metadata_unreachable"),
         "metadata_url", "Detail of sso_metadata_unreachable."),
        ({"kind": "saml", "metadata_url": "https://x.example", "metadata_xml": "<x/>"}, None, "metadata_url",
         "Give one of the three"),
    ],
)  # fmt: skip
def test_configuration__refused__says_why_at_its_field_and_forgets_the_secret(
    sent: dict[str, str], refusal: Any, field: str, message: str, browser: Browser, gateway: Scripted
) -> None:
    if refusal:
        gateway.on("PUT", "/v1/sso", refusal)
    answer = browser.sign_in("acme").post("/o/acme/sso", sent)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert message in page
    assert SECRET not in page
    if field:
        assert f'href="#f-{field}"' in page
    if "issuer" in sent:
        assert 'value="https://login.acme.example"' in page
    assert len(writes(gateway)) == bool(refusal)


def test_sso__of_a_smaller_plan__shows_the_upgrade_and_refuses_in_the_same_words(
    browser: Browser, gateway: Scripted
) -> None:
    gateway.on("GET", "/v1/sso", sso(OIDC, DOMAIN, included=False))
    page = browser.sign_in("acme").get("/o/acme/sso").content.decode()
    assert "Single sign-on comes with the Business plan" in page
    assert "Part of the business plan." in page
    assert "/verify" not in page
    for name in (("PUT", "/v1/sso"), *(("POST", f"/v1/{path}") for path, _ in POSTS[1:4]), ("POST", "/v1/sso/enforce")):
        gateway.on(*name, problem(403, "plan_required", flag="sso", plan="business"))
    gateway.on("GET", "/v1/sso", sso(OIDC, DOMAIN))  # it was still included a moment ago
    for path, body in (*POSTS[:4], POSTS[5]):
        answer = browser.post(f"/o/acme/{path}", body)
        assert answer.status_code == 403
        assert "Single sign-on comes with the Business plan" in answer.content.decode()
        assert SECRET not in answer.content.decode()


def test_sso__of_another_organization__is_not_found(browser: Browser, gateway: Scripted) -> None:
    browser.sign_in("globex")
    for path in ("sso", "sso/enforce", "sso/disable"):
        assert browser.get(f"/o/acme/{path}").status_code == 404
    for path, body in POSTS:
        assert browser.post(f"/o/acme/{path}", body).status_code == 404
    assert writes(gateway) == []
    assert gateway.asked("/v1/sso") == []


def test_sso__for_a_viewer__is_not_for_them(browser: Browser, gateway: Scripted) -> None:
    why = {"sso.manage": "Ask an admin or an owner."}
    gateway.on("GET", "/v1/me/permissions", (200, {"role": "viewer", "scopes": [], "actions": {}, "why": why}))
    page = browser.sign_in("acme").get("/o/acme/sso")
    assert page.status_code == 403
    assert "Ask an admin or an owner." in page.content.decode()
    assert 'href="/o/acme/sso"' not in page.content.decode()
    for path, body in POSTS:
        assert browser.post(f"/o/acme/{path}", body).status_code == 403
    assert writes(gateway) == []
    assert gateway.asked("/v1/sso") == []
