"""Who may open a page, what it carries, and what becomes of the gateway's refusals."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.console.conftest import Browser
from tests.console.scripted import Scripted, problem

POLICY = {
    "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:", "font-src 'self'",
    "connect-src 'self'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'", "manifest-src 'self'",
}  # fmt: skip


@pytest.mark.parametrize("path", ["/", "/o/acme/", "/nothing/here", "/healthz", "/static/console/console.css"])
def test_every_answer__carries_the_strict_policy(path: str, browser: Browser, scripted: Scripted) -> None:
    answer = browser.sign_in("acme").get(path)
    assert set(answer["Content-Security-Policy"].split("; ")) == POLICY
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["Referrer-Policy"] == "same-origin"
    assert answer["Cross-Origin-Opener-Policy"] == "same-origin"
    assert re.fullmatch(r"page_[0-9a-f]{20}", answer["X-Request-Id"])


def test_page__of_the_own_organization__is_shown_and_never_stored(browser: Browser, scripted: Scripted) -> None:
    answer = browser.sign_in("acme").get("/o/acme/")
    assert answer.status_code == 200
    assert "<strong>Acme</strong>" in answer.content.decode()
    assert answer["Cache-Control"] == "private, no-store"
    assert {"HX-Request", "HX-Target", "Cookie"} <= {part.strip() for part in answer["Vary"].split(",")}


@pytest.mark.parametrize("slug", ["globex", "does-not-exist"])
def test_page__of_a_foreign_organization__is_not_found_like_one_that_is_not(
    slug: str, browser: Browser, scripted: Scripted
) -> None:
    answer = browser.sign_in("acme").get(f"/o/{slug}/")
    assert answer.status_code == 404
    assert "Globex" not in answer.content.decode()
    assert [call.path for call in scripted.calls] == ["/v1/auth/token"]
    assert browser.session[2].get("org") != slug


def test_page__not_for_this_role__says_whom_to_ask(browser: Browser, scripted: Scripted) -> None:
    from console import live

    why = {"requests.read": "Ask an admin or an owner."}
    scripted.on("GET", "/v1/me/permissions", (200, {"role": "billing", "actions": {}, "why": why}))
    page = browser.sign_in("acme").get("/o/acme/").content.decode()
    assert "Your role does not include requests." in page
    assert scripted.asked("/v1/requests") == []
    assert "requests" in live._topics
    assert browser.get("/o/acme/live?topics=requests,proposals").status_code == 204


def test_page__fragment__is_only_its_part(browser: Browser, scripted: Scripted) -> None:
    browser.sign_in("acme")
    whole, part = browser.get("/o/acme/").content.decode(), browser.get("/o/acme/", htmx="latest").content.decode()
    assert "Requests show up here" in part
    assert part.strip() in whole
    assert "<html" not in part
    assert len(scripted.asked("/v1/organizations")) == 1  # the part needs no switcher


def test_page__asked_again_by_the_history__is_whole(browser: Browser, scripted: Scripted) -> None:
    answer = browser.sign_in("acme").get("/o/acme/", htmx="latest", headers={"HX-History-Restore-Request": "true"})
    assert "<html" in answer.content.decode()


def test_page__post_where_there_is_nothing_to_post__is_405(browser: Browser, scripted: Scripted) -> None:
    assert browser.sign_in("acme").post("/o/acme/live").status_code == 405


REFUSALS = [
    (problem(429, "rate_limited", retry_after=12), 429, "12"),
    (problem(403, "feature_disabled"), 403, None),
    (problem(503, "store_away", retry_after=2), 503, "2"),
]


@pytest.mark.parametrize(("answer", "status", "wait"), REFUSALS)
def test_refusal__of_the_gateway__is_a_page_in_its_words(
    answer: Any, status: int, wait: str | None, browser: Browser, scripted: Scripted
) -> None:
    scripted.on("GET", "/v1/me/permissions", answer)
    shown = browser.sign_in("acme").get("/o/acme/")
    page = shown.content.decode()
    assert (shown.status_code, shown.get("Retry-After")) == (status, wait)
    assert f"<code>{answer[1]['code']}</code>" in page
    assert answer[1]["detail"] in page
    assert "req_scripted" in page


def test_refusal__during_a_fragment__is_a_panel_without_a_page(browser: Browser, scripted: Scripted) -> None:
    scripted.on("GET", "/v1/me/permissions", problem(429, "rate_limited", retry_after=12))
    shown = browser.sign_in("acme").get("/o/acme/", htmx="latest")
    text = shown.content.decode()
    assert shown.status_code == 429
    assert 'role="alert"' in text
    assert "<html" not in text


def test_refusal__of_one_card__leaves_the_page_standing(browser: Browser, scripted: Scripted) -> None:
    scripted.on("GET", "/v1/limits", problem(503, "store_away"))
    shown = browser.sign_in("acme").get("/o/acme/")
    assert shown.status_code == 200
    assert "Detail of store_away." in shown.content.decode()
    assert "Latest requests" in shown.content.decode()


def test_refusal__with_markup_in_its_words__stays_text(browser: Browser, scripted: Scripted) -> None:
    scripted.on("GET", "/v1/limits", problem(422, "odd", detail="<script>alert(1)</script>"))
    page = browser.sign_in("acme").get("/o/acme/").content.decode()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_gateway__not_reachable__is_a_page_that_says_what_to_do(browser: Browser, settings: Any) -> None:
    from console.gateway import http

    settings.IKIRO_GATEWAY_URL, http._client = "http://127.0.0.1:9", None
    shown = browser.sign_in("acme").get("/o/acme/")
    page = shown.content.decode()
    http._client = None
    assert (shown.status_code, shown["Retry-After"]) == (503, "5")
    assert "The gateway cannot be reached" in page
    assert "IKIRO_GATEWAY_URL" in page
    assert browser.session is None or browser.session[0] == "session-acme"  # nobody is signed out by an outage


def test_gateway__answering_something_else__is_not_taken_for_an_answer(browser: Browser, scripted: Scripted) -> None:
    scripted.on("POST", "/v1/auth/token", (502, b"<html>Bad gateway</html>"))
    shown = browser.sign_in("acme").get("/o/acme/")
    assert shown.status_code == 503
    assert "something that is not of its API" in shown.content.decode()


def test_sso_required__offers_single_sign_on(browser: Browser, scripted: Scripted) -> None:
    scripted.on("POST", "/v1/auth/token", problem(403, "sso_required", sso_url="https://idp.example/x"))
    shown = browser.sign_in("acme").get("/o/acme/")
    assert shown.status_code == 403
    assert 'href="/login/sso?next=/o/acme/"' in shown.content.decode()


def test_not_found__anywhere__is_a_page_of_ours(browser: Browser) -> None:
    shown = browser.get("/no/such/page")
    assert shown.status_code == 404
    assert re.search(r"<h1>\s*Not found\s*</h1>", shown.content.decode())


def test_crash__of_a_view__is_a_page_with_the_request_id(
    browser: Browser, scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser.client.raise_request_exception = False
    monkeypatch.setattr("console.views.home.render", lambda *_: 1 / 0)
    shown = browser.get("/", headers={"X-Request-Id": "page_given_by_proxy"})
    assert shown.status_code == 500
    assert "Something broke" in shown.content.decode()
    assert "page_given_by_proxy" in shown.content.decode()
    assert "ZeroDivision" not in shown.content.decode()


@pytest.mark.parametrize("host", ["evil.example", "testserver:80@evil.example"])
def test_host__not_ours__is_400(host: str, browser: Browser) -> None:
    browser.client.raise_request_exception = False
    shown = browser.get("/", headers={"Host": host})
    assert (shown.status_code, shown.content) == (400, b"Bad request\n")


def test_kit__without_the_switch__is_not_there(browser: Browser, settings: Any) -> None:
    settings.IKIRO_CONSOLE_KIT = False
    assert browser.get("/_kit").status_code == 404
    settings.IKIRO_CONSOLE_KIT = True
    assert browser.get("/_kit").status_code == 200


def test_palette__words__find_pages_the_person_may_open(browser: Browser, scripted: Scripted) -> None:
    browser.sign_in("acme")
    part = browser.get("/o/acme/palette?q=over", htmx="palette-hits").content.decode()
    assert 'href="/o/acme/"' in part
    assert 'role="option"' in part
    assert "Nothing fits" in browser.get("/o/acme/palette?q=zzzz").content.decode()


def test_api_drawer__shows_the_calls_of_this_page_in_every_language(browser: Browser, scripted: Scripted) -> None:
    page = browser.sign_in("acme").get("/o/acme/").content.decode()
    assert "curl http://gateway.test/v1/limits" in page
    assert "/v1/requests?limit=8" in page
    assert "httpx.get(" in page
    assert "await fetch(" in page
    assert "session-acme" not in page
    assert "token.acme" not in page


def test_flash__after_a_redirect__is_said_once(browser: Browser, scripted: Scripted) -> None:
    browser.sign_in("acme", flash=[["Key <b>revoked</b>", "ok"]])
    assert "Key &lt;b&gt;revoked&lt;/b&gt;" in browser.get("/o/acme/").content.decode()
    assert "revoked" not in browser.get("/o/acme/").content.decode()
