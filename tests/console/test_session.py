"""The session cookie: nobody reads it, nobody changes it, and it is gone when it should be."""

from __future__ import annotations

import base64
import time
from typing import Any

import pytest

from console import session
from console.sealing import seal, unseal
from tests.console.conftest import Browser
from tests.console.scripted import Scripted, problem


def test_seal__opened_for_its_purpose__gives_the_value_back() -> None:
    assert unseal(seal(["token", True, {"org": "acme"}], "session"), "session", max_age=60) == [
        "token", True, {"org": "acme"},
    ]  # fmt: skip


def test_seal__the_same_value_twice__never_looks_the_same_and_hides_it() -> None:
    first, second = seal("session-acme", "session"), seal("session-acme", "session")
    assert first != second
    assert b"acme" not in base64.urlsafe_b64decode(first)


def test_unseal__for_another_purpose__is_nothing() -> None:
    assert unseal(seal("x", "session"), "flash", max_age=60) is None


def test_unseal__with_another_secret__is_nothing(settings: Any) -> None:
    sealed = seal("x", "session")
    settings.SECRET_KEY = "another secret"
    assert unseal(sealed, "session", max_age=60) is None


def test_unseal__too_old__is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    sealed = seal("x", "session")
    later = time.time() + 100
    monkeypatch.setattr("console.sealing.time.time", lambda: later)
    assert unseal(sealed, "session", max_age=60) is None


@pytest.mark.parametrize("text", ["", "x", "%%%", "AAAA", "\u00e9", "A" * 5000])
def test_unseal__anything_else__is_nothing(text: str) -> None:
    assert unseal(text, "session", max_age=60) is None


def test_unseal__each_byte_changed__is_nothing() -> None:
    raw = bytearray(base64.urlsafe_b64decode(seal(["token"], "session")))
    for place in range(len(raw)):
        changed = bytearray(raw)
        changed[place] ^= 1
        assert unseal(base64.urlsafe_b64encode(bytes(changed)).decode(), "session", max_age=60) is None


def test_cookie__tampered__is_a_visitor_and_the_cookie_is_cleared(browser: Browser, scripted: Scripted) -> None:
    browser.sign_in("acme")
    browser.client.cookies[session.COOKIE] = browser.client.cookies[session.COOKIE].value[:-8] + "AAAAAAAA"
    answer = browser.get("/o/acme/")
    assert (answer.status_code, answer["Location"]) == (303, "/login?next=/o/acme/")
    assert answer.cookies[session.COOKIE].value == ""
    assert scripted.calls == []


def test_cookie__its_flags__are_httponly_and_lax(browser: Browser, scripted: Scripted) -> None:
    cookie = browser.sign_in("acme").get("/o/acme/").cookies[session.COOKIE]
    assert (cookie["httponly"], cookie["samesite"], bool(cookie["secure"]), cookie["path"]) == (True, "Lax", False, "/")


def test_cookie__over_https__is_secure(scripted: Scripted, settings: Any) -> None:
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    browser = Browser().sign_in("acme")
    answer = browser.get("/o/acme/", headers={"X-Forwarded-Proto": "https"})
    assert bool(answer.cookies[session.COOKIE]["secure"]) is True
    assert bool(answer.cookies["ikiro_csrf"]["secure"]) is True
    assert answer.cookies["ikiro_csrf"]["httponly"] is True


def test_session__ended_at_the_gateway__leads_to_sign_in_and_back(browser: Browser, scripted: Scripted) -> None:
    browser.sign_in("acme")
    scripted.on("POST", "/v1/auth/token", problem(401, "session_invalid"))
    answer = browser.get("/o/acme/?tab=x")
    assert (answer.status_code, answer["Location"]) == (303, "/login?next=/o/acme/%3Ftab%3Dx")
    assert browser.session is None


def test_session__ended_during_a_fragment__redirects_the_page(browser: Browser, scripted: Scripted) -> None:
    browser.sign_in("acme")
    scripted.on("POST", "/v1/auth/token", problem(401, "session_invalid"))
    answer = browser.get("/o/acme/", htmx="latest", headers={"HX-Current-URL": "http://testserver/o/acme/?a=1"})
    assert (answer.status_code, answer["HX-Redirect"], answer.content) == (204, "/login?next=/o/acme/%3Fa%3D1", b"")


def test_session__first_half_of_a_sign_in__opens_no_page(browser: Browser, scripted: Scripted) -> None:
    browser.client.cookies[session.COOKIE] = seal(["session-acme", False, {}], "session")
    assert browser.get("/o/acme/")["Location"].startswith("/login")
    assert scripted.calls == []


def test_session__sign_out__forgets_everything(scripted: Scripted) -> None:
    here = session.Session("session-acme", True, {"org": "acme"})
    here.sign_out()
    assert here.as_value() is None
