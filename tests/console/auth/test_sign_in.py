"""Signing in and out on the console's pages, without scripts."""

from __future__ import annotations

import re
from typing import Any

import pytest

from console.session import COOKIE
from tests.accounts.support import Accounts
from tests.console.auth.conftest import Newcomer
from tests.console.auth.support import Visitor
from tests.console.conftest import Browser
from tests.harness import eventually, free_port


def test_sign_in__right_password__goes_where_one_wanted_to_go(member: Visitor) -> None:
    other = member.elsewhere()
    page = other.get("/account/sessions")
    assert page.path == "/login"
    page = other.submit("/login", email=member.email, password=member.password)
    assert (page.status, page.path) == (200, "/account/sessions")


@pytest.mark.parametrize("wanted", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:x"])
def test_sign_in__next_elsewhere__stays_here(member: Visitor, wanted: str) -> None:
    other = member.elsewhere()
    other.get("/login")
    form = {**other.page.form("/login"), "email": member.email, "password": member.password, "next": wanted}
    answer = other.client.post("/login", data=form, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


def test_sign_in__wrong_password_and_unknown_address__are_the_same_page(member: Visitor, newcomer: Newcomer) -> None:
    known, unknown = member.elsewhere(), newcomer()
    texts = []
    for visitor in (known, unknown):
        page = visitor.sign_in(password="not the password")
        assert (page.status, page.path) == (422, "/login")
        assert "E-mail and password do not fit together." in page.text
        assert page.form("/login")["email"] == visitor.email
        assert "not the password" not in page.response.text
        plain = page.response.text.replace(visitor.email, "…").replace(visitor.email.replace("@", "%40"), "…")
        texts.append(re.sub(r"value=\"\w{64}\"|CSRFToken\": \"\w{64}|page_\w+", "…", plain))
    assert texts[0] == texts[1]
    assert not known.signed_in()


def test_sign_in__too_often_wrong__says_until_when_and_then_works(strict: Accounts, member: Visitor) -> None:
    other = member.elsewhere(strict)
    for _ in range(3):
        assert other.sign_in(password="not the password").status == 422
    page = other.sign_in()
    assert page.status == 429
    assert "Too many failed attempts." in page.text
    assert re.search(r'<time datetime="[^"]+"[^>]*data-countdown', page.response.text)
    assert 1 <= int(page.response.headers["Retry-After"]) <= 5
    assert page.form("/login")["email"] == member.email
    assert not other.signed_in()
    eventually(lambda: other.sign_in().path != "/login", within=15, every=0.5)
    assert other.signed_in()


def test_sign_out__ends_the_session__and_a_copy_of_the_cookie_is_worth_nothing(member: Visitor) -> None:
    copied = member.client.cookies[COOKIE]
    assert member.get("/logout").heading == "Sign out?"
    assert member.signed_in()
    page = member.submit("/logout")
    assert page.path == "/login"
    assert "You are signed out." in page.text
    thief = member.elsewhere()
    thief.client.cookies.set(COOKIE, copied)
    answer = thief.client.get("/account/profile", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=/account/profile")


def test_session_cookie__is_sealed_and_out_of_scripts_reach(member: Visitor) -> None:
    other = member.elsewhere()
    other.get("/login")
    form = {**other.page.form("/login"), "email": member.email, "password": member.password}
    answer = other.client.post("/login", data=form, follow_redirects=False)
    cookie = next(one for one in answer.headers.get_list("set-cookie") if one.startswith(f"{COOKIE}="))
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert answer.headers["cache-control"] == "private, no-store"
    changed = other.client.cookies[COOKIE]
    other.client.cookies.set(COOKIE, changed[:-4] + ("AAAA" if changed[-4:] != "AAAA" else "BBBB"))
    assert not other.signed_in()


@pytest.mark.parametrize("path", ["/login", "/signup", "/password/forgot", "/logout", "/account/delete"])
def test_form__without_a_token__is_refused_and_does_nothing(member: Visitor, path: str) -> None:
    form = {"email": member.email, "password": member.password, "confirm": member.email}
    whole = member.client.post(path, data=form)
    assert (whole.status_code, "This form is too old" in whole.text) == (403, True)
    part = member.client.post(path, data=form, headers={"HX-Request": "true", "HX-Target": "form"})
    assert (part.status_code, "<html" in part.text, "csrf_failed" in part.text) == (403, False, True)
    assert member.signed_in()


def test_sign_in__by_htmx__refusal_is_the_form_and_success_a_jump(member: Visitor) -> None:
    other = member.elsewhere()
    other.get("/login")
    form = {**other.page.form("/login"), "email": member.email}
    asks = {"HX-Request": "true", "HX-Target": "form"}
    wrong = other.client.post("/login", data={**form, "password": "not the password"}, headers=asks)
    assert (wrong.status_code, wrong.text.strip()[:15], "<html" in wrong.text) == (422, '<form id="form"', False)
    right = other.client.post("/login", data={**form, "password": member.password}, headers=asks)
    assert (right.status_code, right.headers["HX-Redirect"]) == (204, "/")
    assert other.signed_in()


def test_sign_in__gateway_down__says_where_it_looked(settings: Any, browser: Browser) -> None:
    settings.IKIRO_GATEWAY_URL = f"http://127.0.0.1:{free_port()}"
    answer = browser.post("/login", {"email": "owner@acme.example", "password": "a quiet harbour at noon"})
    text = answer.content.decode()
    assert answer.status_code == 503
    assert "The gateway cannot be reached" in text
    assert settings.IKIRO_GATEWAY_URL in text
    assert "a quiet harbour" not in text
    assert browser.get("/login").status_code == 200  # a page that asks nothing still stands
