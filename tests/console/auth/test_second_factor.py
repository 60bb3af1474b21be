"""Two-factor authentication on the console's pages, without scripts."""

from __future__ import annotations

import re

import pytest

from console.auth.trust import COOKIE as TRUST
from tests.accounts.support import totp
from tests.console.auth.conftest import Newcomer
from tests.console.auth.support import Visitor

_PAGE = "/account/security/totp"


def _secret(visitor: Visitor) -> str:
    found = re.search(r'data-copy="([A-Z2-7]{16,})"', visitor.page.response.text)
    assert found
    return found[1]


def _codes(visitor: Visitor) -> list[str]:
    return re.findall(r"<code>([0-9a-z-]{8,})</code>\s*</li>", visitor.page.response.text)


def _protect(visitor: Visitor) -> tuple[str, list[str]]:
    """Set up an authenticator app; its secret and the recovery codes."""
    visitor.prove(_PAGE)
    visitor.submit(_PAGE)
    secret = _secret(visitor)
    # The code of the step before, so that the present one is still there to sign in with.
    assert visitor.submit(_PAGE, code=totp(secret, step=-1)).status == 200
    return secret, _codes(visitor)


@pytest.fixture
def protected(member: Visitor) -> tuple[Visitor, str, list[str]]:
    return (member, *_protect(member))


def test_set_up__needs_a_fresh_proof__then_shows_the_secret_only_in_answers_to_posts(member: Visitor) -> None:
    page = member.get(_PAGE)
    assert (page.path, page.response.url.query) == ("/account/reauthenticate", b"next=/account/security/totp")
    page = member.submit("/account/reauthenticate", kind="password", password="not the password")
    assert (page.status, page.path) == (422, "/account/reauthenticate")
    assert "This is not your password." in page.text
    page = member.submit("/account/reauthenticate", kind="password", password=member.password)
    assert (page.path, '<svg class="c-qr"' in page.response.text) == (_PAGE, False)
    page = member.submit(_PAGE)
    secret = _secret(member)
    assert page.response.headers["cache-control"] == "private, no-store"
    assert 'style="' not in page.response.text
    assert "<path" in page.response.text.partition('role="img"')[2]
    assert "otpauth://" not in page.response.text
    page = member.submit(_PAGE, code="000000" if totp(secret) != "000000" else "111111")
    assert page.status == 422
    assert _secret(member) == secret
    assert secret not in member.client.get(_PAGE).text
    page = member.submit(_PAGE, code=totp(secret))
    assert (page.status, page.heading) == (200, "The authenticator app is set up.")
    codes = _codes(member)
    assert len(codes) == len(set(codes)) == 10
    assert all(code not in member.get("/account/security").response.text for code in codes)
    assert "10 of 10 left" in member.page.text
    assert secret not in member.page.response.text


def test_recovery_codes__download__is_a_file_of_what_was_shown_and_nothing_else(member: Visitor) -> None:
    _, codes = _protect(member)
    sealed = member.page.form("/account/security/recovery-codes/download")
    answer = member.client.post("/account/security/recovery-codes/download", data=sealed)
    assert answer.headers["content-disposition"] == 'attachment; filename="ikiro-recovery-codes.txt"'
    assert answer.headers["cache-control"] == "private, no-store"
    assert answer.text.split()[-10:] == codes
    forged = member.client.post(
        "/account/security/recovery-codes/download", data={**sealed, "sealed": sealed["sealed"][:-4] + "AAAA"}
    )
    assert "content-disposition" not in forged.headers


def test_sign_in__with_a_code__works_and_the_same_code_does_not_work_again(
    protected: tuple[Visitor, str, list[str]],
) -> None:
    member, secret, _ = protected
    other, third = member.elsewhere(), member.elsewhere()
    page = other.sign_in("/login?next=/account/sessions")
    assert (page.path, page.heading) == ("/login/mfa", "Second factor")
    assert not other.signed_in()
    code = totp(secret)
    page = other.submit("/login/mfa", code=code)
    assert (page.status, page.path) == (200, "/account/sessions")
    third.sign_in()
    page = third.submit("/login/mfa", code=code)
    assert (page.status, page.path) == (422, "/login/mfa")
    assert "it was used already" in page.text
    assert not third.signed_in()


def test_sign_in__with_a_recovery_code__works_once(protected: tuple[Visitor, str, list[str]]) -> None:
    member, _, codes = protected
    other, third = member.elsewhere(), member.elsewhere()
    other.sign_in()
    other.get("/login/recovery")
    assert other.submit("/login/recovery", code="not-a-code").status == 422
    other.submit("/login/recovery", code=f" {codes[0]} ")
    assert other.signed_in()
    assert "9 of 10 left" in other.get("/account/security").text
    third.sign_in()
    third.get("/login/recovery")
    assert third.submit("/login/recovery", code=codes[0]).status == 422
    assert not third.signed_in()


def test_device__trusted__is_not_asked_again_but_others_are(protected: tuple[Visitor, str, list[str]]) -> None:
    member, secret, _ = protected
    other = member.elsewhere()
    other.sign_in()
    other.submit("/login/mfa", code=totp(secret), trust="yes")
    assert other.signed_in()
    other.get("/account/security")
    other.submit("/logout")
    assert other.sign_in().path != "/login/mfa"
    assert other.signed_in()
    thief = member.elsewhere()
    thief.client.cookies.set(TRUST, other.client.cookies[TRUST][:-4] + "AAAA", path="/login")
    assert thief.sign_in().path == "/login/mfa"
    assert member.elsewhere().sign_in().path == "/login/mfa"
    assert not thief.signed_in()


def test_second_step__without_a_first__goes_to_sign_in(newcomer: Newcomer) -> None:
    for path in ("/login/mfa", "/login/recovery", "/verify"):
        assert newcomer().get(path).path == "/login"


def test_off__asks_first__and_then_the_password_is_enough(protected: tuple[Visitor, str, list[str]]) -> None:
    member, _, codes = protected
    member.prove("/account/security/recovery-codes")
    member.submit("/account/security/recovery-codes")
    fresh = _codes(member)
    assert len(fresh) == 10
    assert not set(fresh) & set(codes)
    page = member.prove("/account/security/off")
    assert "the authenticator app" in page.text
    assert member.elsewhere().sign_in().path == "/login/mfa"
    page = member.submit("/account/security/off")
    assert (page.path, "Two-factor authentication is off." in page.text) == ("/account/security", True)
    other = member.elsewhere()
    other.sign_in()
    assert other.signed_in()
