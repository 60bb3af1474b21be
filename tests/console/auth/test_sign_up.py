"""Making an account on the console's pages, without scripts."""

from __future__ import annotations

import re
import time

import pytest

from tests.accounts.support import Accounts
from tests.console.auth.conftest import Newcomer
from tests.console.auth.support import Visitor
from tests.harness import eventually


def _frame_of(visitor: Visitor) -> str:
    """The page as another visitor would get it: without address, tokens and the page's id."""
    text = visitor.page.response.text.replace(visitor.email, "<address>")
    return re.sub(r"value=\"\w{64}\"|CSRFToken\": \"\w{64}|page_\w+|<time.*?</time>", "…", text)


def test_sign_up__code_from_the_mail__is_in_and_has_an_organization(newcomer: Newcomer) -> None:
    visitor = newcomer()
    slug = f"acme-{visitor.email[7:15]}"
    page = visitor.sign_up(organization=slug)
    assert (page.status, page.path, page.heading) == (200, "/verify", "Confirm your address")
    assert visitor.email in page.text
    assert not visitor.signed_in()
    page = visitor.submit("/verify", code=f" {visitor.code[:3]} {visitor.code[3:]} ")
    assert page.path in {f"/organizations/{slug}", f"/o/{slug}/start"}
    assert visitor.signed_in()
    eventually(lambda: visitor.get(f"/o/{slug}/keys").path == f"/o/{slug}/keys", within=30)
    assert visitor.page.status == 200


def test_sign_up__link_in_another_browser__confirms_there_and_the_code_still_works_here(newcomer: Newcomer) -> None:
    visitor = newcomer()
    visitor.sign_up(organization="")
    other = visitor.elsewhere()
    page = other.get(visitor.link)
    assert (page.status, page.heading) == (200, "Confirm your address")
    assert visitor.email in page.text
    other.sign_in()
    assert other.page.path == "/verify"  # to look at the link has proved nothing
    other.get(visitor.link)
    page = other.submit("/verify/link")
    assert page.path in {"/login", "/account/profile", "/", "/organizations/new"}
    if not other.signed_in():
        assert f"{visitor.email} is confirmed. Sign in." in page.text
        assert page.form("/login")["email"] == visitor.email
        other.submit("/login", password=visitor.password)
        assert other.signed_in()
    assert not visitor.signed_in()


def test_sign_up__link_in_the_same_browser__is_in(newcomer: Newcomer) -> None:
    visitor = newcomer()
    visitor.sign_up(organization="")
    visitor.get(visitor.link)
    visitor.submit("/verify/link")
    assert visitor.signed_in()


def test_link__forged__says_so_and_offers_ways_on(newcomer: Newcomer) -> None:
    visitor = newcomer()
    visitor.sign_up(organization="")
    for key in (visitor.link.partition("key=")[2][:-3] + "abc", "a:b:c", "", "x" * 3000):
        page = visitor.elsewhere().get("/verify", params={"key": key})
        assert (page.status, page.heading) == (410, "This link does not work")
    assert not visitor.signed_in()


@pytest.mark.parametrize(
    ("password", "said"),
    [
        ("short", "Use at least 12 characters."),
        ("1qazxsw23edc", "This password is on the lists that attackers try first."),
        ("{email}", "This password is too close to your address or name."),
    ],
)
def test_sign_up__weak_password__keeps_what_was_typed_and_makes_no_account(
    newcomer: Newcomer, password: str, said: str
) -> None:
    visitor = newcomer()
    visitor.password = password.format(email=visitor.email)
    page = visitor.sign_up(organization="Harbour")
    assert (page.status, page.path) == (422, "/signup")
    assert said in page.text
    form = page.form("/signup")
    assert (form["email"], form["organization"], form["password"]) == (visitor.email, "Harbour", "")
    assert visitor.accounts.mails_to(visitor.email) == []


def test_sign_up__taken_address__gets_the_very_same_pages_as_a_new_one(newcomer: Newcomer, member: Visitor) -> None:
    stranger, fresh = newcomer(), newcomer()
    stranger.email, stranger.password = member.email, "somebody else's password"
    stranger.sign_up(organization="")
    fresh.sign_up(organization="")
    assert _frame_of(stranger) == _frame_of(fresh)
    wrong = "000000" if fresh.code != "000000" else "111111"
    stranger.submit("/verify", code=wrong)
    fresh.submit("/verify", code=wrong)
    assert stranger.page.status == fresh.page.status == 422
    assert _frame_of(stranger) == _frame_of(fresh)
    assert not stranger.signed_in()
    assert member.elsewhere().sign_in().path != "/login"


def test_code__wrong_five_times__asks_to_begin_again(newcomer: Newcomer) -> None:
    visitor = newcomer()
    visitor.sign_up(organization="")
    wrong = "000000" if visitor.code != "000000" else "111111"
    for _ in range(5):
        page = visitor.submit("/verify", code=wrong)
        assert (page.status, page.path) == (422, "/verify")
        assert "This code is not right, or it was used already." in page.text
    page = visitor.submit("/verify", code=visitor.code)
    assert page.path == "/login"
    assert "That code is no longer valid." in page.text
    assert page.form("/login")["email"] == visitor.email
    assert not visitor.signed_in()


def test_resend__at_once__is_a_new_code_and_the_old_one_ends(newcomer: Newcomer) -> None:
    visitor = newcomer()
    visitor.sign_up(organization="")
    first = visitor.code
    time.sleep(0.3)  # the pause between two mails in tests
    page = visitor.submit("/verify/resend")
    assert (page.path, "A new code is on its way" in page.text) == ("/verify", True)
    second = eventually(lambda: visitor.code if visitor.code != first else None)
    assert visitor.submit("/verify", code=first).status == 422
    visitor.submit("/verify", code=second)
    assert visitor.signed_in()


def test_resend__too_soon__says_how_long_to_wait(strict: Accounts, newcomer: Newcomer) -> None:
    visitor = newcomer().elsewhere(strict)
    visitor.sign_up(organization="")
    first = visitor.code
    page = visitor.submit("/verify/resend")
    assert page.status == 429
    assert "Try again in" in page.text
    assert "data-countdown" in page.response.text
    assert 1 <= int(page.response.headers["Retry-After"]) <= 12
    assert visitor.code == first
    visitor.submit("/verify", code=first)
    assert visitor.signed_in()


def test_organization__suggested__comes_from_the_domain_and_never_replaces_a_typed_one(newcomer: Newcomer) -> None:
    visitor = newcomer()
    asks = {"HX-Request": "true", "HX-Target": "organization"}

    def suggested(email: str, present: str = "") -> str:
        query = {"email": email, "organization": present}
        answer = visitor.client.get("/signup/organization", params=query, headers=asks)
        found = re.search(r'name="organization"[^>]*value="([^"]*)"', answer.text)
        return found[1] if found else f"<{answer.status_code}>"

    assert suggested("owner@acme.example") == "Acme"
    assert suggested("owner@mail.blue-harbour.co.uk") == "Blue Harbour"
    assert suggested("owner@acme.example", "Mine") == "<204>"
    assert suggested("owner@gmail.com") == "<204>"
    assert suggested("nobody") == "<204>"
    assert visitor.get("/signup?email=owner@acme.example").form("/signup")["organization"] == "Acme"
