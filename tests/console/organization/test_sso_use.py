"""Single sign-on used: domains proved, a test in another tab, enforced with a password for one owner, off again."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from tests.console.conftest import Browser
from tests.console.organization.sso_support import DOMAIN, MISSED, OIDC, PASSED, PROVED, gateway, sso, words, writes
from tests.console.scripted import Scripted, problem

__all__ = ["gateway"]


def test_domains__pending__show_the_record_and_where_it_stands(browser: Browser, gateway: Scripted) -> None:
    page = browser.sign_in("acme").get("/o/acme/sso").content.decode()
    assert 'data-copy="_ikiro-challenge.acme.example"' in page
    assert 'data-copy="ikiro-verify=abc"' in page
    made = browser.post("/o/acme/sso/domains", {"domain": "acme.example"})
    assert (made.status_code, made["Location"]) == (303, "/o/acme/sso#domains")
    assert browser.post("/o/acme/sso/domains/dom_1/verify").status_code == 303
    assert browser.post("/o/acme/sso/domains/dom_1/remove").status_code == 303
    assert writes(gateway) == [
        ("POST", "/v1/sso/domains", {"domain": "acme.example"}), ("POST", "/v1/sso/domains/dom_1/verify", None),
        ("DELETE", "/v1/sso/domains/dom_1", None),
    ]  # fmt: skip


@pytest.mark.parametrize("code", ["invalid_domain", "public_mail_domain", "domain_exists", "domain_taken"])
def test_domain__refused__says_why_and_keeps_what_was_typed(code: str, browser: Browser, gateway: Scripted) -> None:
    gateway.on("POST", "/v1/sso/domains", problem(409 if code.startswith("domain") else 422, code))
    answer = browser.sign_in("acme").post("/o/acme/sso/domains", {"domain": "gmail.example"})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert f"Detail of {code}." in page
    assert 'value="gmail.example"' in page


@pytest.mark.parametrize(
    ("refusal", "status", "shown"),
    [
        (problem(409, "domain_record_missing"), 422, "Detail of domain_record_missing."),
        (problem(409, "domain_record_wrong", found=["v=spf1 -all"]), 422, "v=spf1 -all"),
        (problem(503, "dns_unavailable"), 503, "Detail of dns_unavailable."),
        (problem(404, "domain_not_found"), 404, "Detail of domain_not_found."),
    ],
)
def test_domain__not_proved__says_what_was_found_instead(
    refusal: Any, status: int, shown: str, browser: Browser, gateway: Scripted
) -> None:
    gateway.on("POST", "/v1/sso/domains/dom_1/verify", refusal)
    answer = browser.sign_in("acme").post("/o/acme/sso/domains/dom_1/verify")
    page = answer.content.decode()
    assert answer.status_code == status
    assert shown in page
    assert "req_scripted" in page


def test_test__begun__leads_to_the_provider_without_a_redirect(browser: Browser, gateway: Scripted) -> None:
    page = browser.sign_in("acme").get("/o/acme/sso").content.decode()
    assert re.search(r'action="/o/acme/sso/test"\s+method="post"\s+target="_blank"', page)
    answer = browser.post("/o/acme/sso/test")
    assert answer.status_code == 200
    assert 'content="0; url=https://api.acme.example/t/1"' in answer.content.decode()


@pytest.mark.parametrize(
    ("last", "shown"),
    [
        (PASSED, ["The test succeeded", "owner@acme.example", "email_verified", "00u1"]),
        ({**PASSED, "current": False}, ["of an earlier configuration: test again", "Test the configuration as it is"]),
        (MISSED, ["The test failed", "The provider named no address.", "sso_email_missing"]),
    ],
)
def test_test__came_back__is_shown_here_and_in_the_other_tab(
    last: Any, shown: list[str], browser: Browser, gateway: Scripted
) -> None:
    gateway.on("GET", "/v1/sso", sso({**OIDC, "last_test": last, "state": "tested"}, DOMAIN))
    outcome = "ok" if last["ok"] else "failed"
    page = browser.sign_in("acme").get("/o/acme/sso", {"tested": outcome}).content.decode()
    assert ("You can close this tab" if last["ok"] else "Nobody was signed in") in page
    answer = browser.get("/o/acme/live", {"topics": "sso"})

    async def event() -> str:
        async for part in answer.streaming_content:
            if b"event: sso" in part:
                return str(part.decode())
        raise AssertionError("nothing came")

    live = asyncio.run(event())
    for text in shown:
        assert text in words(page)
        assert text in words(live.replace("data: ", ""))


def test_enforce__before_it_can_be__says_what_is_missing(browser: Browser, gateway: Scripted) -> None:
    page = browser.sign_in("acme").get("/o/acme/sso/enforce").content.decode()
    assert "Test the configuration as it is now first." in page
    assert "Prove a domain first" in page
    assert 'aria-disabled="true"' in page


def test_enforce__ready__spells_out_what_happens_and_asks_who_keeps_a_password(
    browser: Browser, gateway: Scripted
) -> None:
    gateway.on("GET", "/v1/sso", sso({**OIDC, "state": "tested", "last_test": PASSED}, PROVED))
    assert 'href="sso/enforce"' in browser.sign_in("acme").get("/o/acme/sso").content.decode()
    page = browser.get("/o/acme/sso/enforce").content.decode()
    assert "loses access within a second" in words(page)
    assert re.search(r'value="usr_acme"\s+checked', page)
    assert "Has a second factor." in page
    assert "member@acme.example" not in page  # no owner
    sent = {"break_glass_user_id": "usr_acme", "require_mfa": "1"}
    answer = browser.post("/o/acme/sso/enforce", sent)
    assert (answer.status_code, answer["Location"]) == (303, "/o/acme/sso")
    assert writes(gateway) == [
        ("POST", "/v1/sso/enforce", {"break_glass_user_id": "usr_acme", "require_mfa": True}),
    ]  # fmt: skip


@pytest.mark.parametrize("code", ["break_glass_invalid", "sso_not_tested", "no_verified_domain"])
def test_enforce__refused__says_why_and_keeps_the_choice(code: str, browser: Browser, gateway: Scripted) -> None:
    gateway.on("GET", "/v1/sso", sso({**OIDC, "state": "tested", "last_test": PASSED}, PROVED))
    gateway.on("POST", "/v1/sso/enforce", problem(409, code))
    answer = browser.sign_in("acme").post("/o/acme/sso/enforce", {"break_glass_user_id": "usr_acme"})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert f"Detail of {code}." in page
    assert re.search(r'value="usr_acme"\s+checked', page)
    assert not re.search(r'name="require_mfa"\s+value="1"\s+checked', page)


def test_disable__asks_first__then_passwords_count_again(browser: Browser, gateway: Scripted) -> None:
    page = browser.sign_in("acme").get("/o/acme/sso/disable").content.decode()
    assert "Passwords count again." in page
    assert writes(gateway) == []
    assert browser.post("/o/acme/sso/disable").status_code == 303
    assert writes(gateway) == [("POST", "/v1/sso/disable", None)]
    gateway.on("POST", "/v1/sso/disable", problem(404, "sso_not_configured"))
    refused = browser.post("/o/acme/sso/disable")
    assert refused.status_code == 404
    assert "Detail of sso_not_configured." in refused.content.decode()
