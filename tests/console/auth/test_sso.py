"""Single sign-on as the console does it, in front of a scripted gateway."""

from __future__ import annotations

import base64
import hashlib
import re
from urllib.parse import parse_qs, urlsplit

import pytest

from console.session import COOKIE
from tests.console.conftest import Browser
from tests.console.scripted import Scripted, problem

START = "https://gateway.example/accounts/sso/acme/start"
FOUND = {"sso": True, "organization": {"slug": "acme", "name": "Acme"}, "start_url": START}


def _begin(browser: Browser, scripted: Scripted) -> str:
    """Where the page leads to."""
    scripted.on("GET", "/v1/sso/discover", (200, FOUND))
    answer = browser.post("/login/sso", {"email": "owner@acme.example", "next": "/o/acme/keys"})
    text = answer.content.decode()
    # A page and no redirect: form-action would hold the identity provider against us.
    assert answer.status_code == 200
    assert "On to Acme" in text
    link = re.search(r'<a class="c-btn c-btn--primary" href="([^"]+)"', text)
    assert link
    assert f'content="0; url={link[1]}"' in text
    return link[1].replace("&amp;", "&")


def test_begin__known_domain__leads_to_the_provider_with_a_challenge(scripted: Scripted, browser: Browser) -> None:
    url = _begin(browser, scripted)
    query = parse_qs(urlsplit(url).query)
    assert url.startswith(f"{START}?")
    assert query["next"] == ["/o/acme/keys"]
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", query["challenge"][0])
    assert scripted.asked("/v1/sso/discover")[0].query == {"email": "owner@acme.example"}
    cookie = browser.client.cookies["ikiro_sso"]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/login/sso")
    by_htmx = browser.post("/login/sso", {"email": "owner@acme.example"}, htmx="form")
    assert (by_htmx.status_code, by_htmx.headers["HX-Redirect"].startswith(START)) == (204, True)


def test_back__with_a_code__hands_in_the_verifier_of_this_browser_and_is_in(
    scripted: Scripted, browser: Browser
) -> None:
    challenge = parse_qs(urlsplit(_begin(browser, scripted)).query)["challenge"][0]
    made = {"session_token": "session-acme", "organization": "acme", "expires_at": "2030-01-01T00:00:00Z"}
    scripted.on("POST", "/v1/auth/sso/exchange", (200, made))
    answer = browser.get("/login/sso", {"code": "sso-code", "organization": "acme", "next": "/o/acme/keys"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/o/acme/keys")
    sent = scripted.asked("/v1/auth/sso/exchange")[0].body
    digest = hashlib.sha256(sent["verifier"].encode()).digest()
    assert (sent["code"], base64.urlsafe_b64encode(digest).decode().rstrip("=")) == ("sso-code", challenge)
    assert browser.session == ["session-acme", True, {}]
    assert browser.client.cookies["ikiro_sso"].value == ""


def test_back__earlier_session__is_ended(scripted: Scripted, browser: Browser) -> None:
    _begin(browser.sign_in("globex"), scripted)
    ended = "/_allauth/app/v1/auth/session"
    scripted.on("DELETE", ended, (401, {"status": 401, "meta": {"is_authenticated": False}}))
    scripted.on("POST", "/v1/auth/sso/exchange", (200, {"session_token": "session-acme", "organization": "acme"}))
    answer = browser.get("/login/sso", {"code": "sso-code"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/o/acme/")
    assert scripted.asked(ended)[0].headers["x-session-token"] == "session-globex"
    assert browser.session[0] == "session-acme"


def test_back__begun_in_another_browser__signs_nobody_in_and_uses_up_no_code(
    scripted: Scripted, browser: Browser
) -> None:
    _begin(Browser(), scripted)
    scripted.on("POST", "/v1/auth/sso/exchange", (200, {"session_token": "session-globex", "organization": "globex"}))
    answer = browser.get("/login/sso", {"code": "somebody-elses"})
    assert answer.status_code == 422
    assert "not begun in this browser" in answer.content.decode()
    assert scripted.asked("/v1/auth/sso/exchange") == []
    assert COOKIE not in browser.client.cookies


def test_back__code_refused__signs_nobody_in(scripted: Scripted, browser: Browser) -> None:
    _begin(browser, scripted)
    scripted.on("POST", "/v1/auth/sso/exchange", problem(400, "sso_code_invalid"))
    answer = browser.get("/login/sso", {"code": "used", "next": "https://evil.example/"})
    assert answer.status_code == 422
    assert "This sign-in was used already or took too long." in answer.content.decode()
    assert "evil.example" not in answer.content.decode()
    assert COOKIE not in browser.client.cookies


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("sso_cancelled", "You stopped at your identity provider."),
        ("sso_domain_not_verified", "outside this organization"),
        ("sso_membership_removed", "Ask an admin to invite you again."),
        ("<script>", "Single sign-on did not finish."),
    ],
)
def test_back__with_an_error__says_what_it_means(browser: Browser, code: str, said: str) -> None:
    answer = browser.get("/login/sso", {"error": code, "organization": "acme"})
    text = answer.content.decode()
    assert answer.status_code == 422
    assert said in text
    assert code not in text or not code.startswith("<")


@pytest.mark.parametrize("found", [{"sso": False, "organization": None, "start_url": None},
                                   {**FOUND, "start_url": "javascript:alert(1)"}])  # fmt: skip
def test_begin__unknown_domain_or_odd_address__says_to_use_the_password(
    scripted: Scripted, browser: Browser, found: dict[str, object]
) -> None:
    scripted.on("GET", "/v1/sso/discover", (200, found))
    answer = browser.post("/login/sso", {"email": "owner@globex.example"})
    text = answer.content.decode()
    assert answer.status_code == 422
    assert "No organization here uses single sign-on for this address." in text
    assert 'value="owner@globex.example"' in text
    assert "javascript:" not in text
    assert "ikiro_sso" not in browser.client.cookies


def test_begin__asked_too_often__is_the_gateways_words(scripted: Scripted, browser: Browser) -> None:
    scripted.on("GET", "/v1/sso/discover", problem(429, "rate_limited", retry_after=7))
    answer = browser.post("/login/sso", {"email": "owner@acme.example"})
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "7"
    assert "req_scripted" in answer.content.decode()
