"""A forgotten password, on the console's pages."""

from __future__ import annotations

import re

from tests.console.auth.conftest import Newcomer
from tests.console.auth.support import Visitor

NEW = "another quiet harbour"


def _link(visitor: Visitor) -> str:
    mail = str(visitor.accounts.last_mail(visitor.email, "Choose a new Ikiro password").get_payload())
    found = re.search(r"^https?://[^/\s]+(/\S+)$", mail, re.M)
    assert found
    return found[1]


def _ask(visitor: Visitor) -> Visitor:
    visitor.get("/login")
    visitor.get("/password/forgot")
    visitor.submit("/password/forgot", email=visitor.email)
    return visitor


def test_forgot__known_and_unknown_address__get_the_same_page(member: Visitor, newcomer: Newcomer) -> None:
    texts = []
    for visitor in (_ask(member.elsewhere()), _ask(newcomer())):
        assert visitor.page.status == 200
        assert f"A mail is on its way to {visitor.email}" in visitor.page.text
        plain = visitor.page.response.text.replace(visitor.email, "…")
        texts.append(re.sub(r"value=\"\w{64}\"|CSRFToken\": \"\w{64}|page_\w+", "…", plain))
    assert texts[0] == texts[1]


def test_reset__by_the_link__changes_the_password_once_and_ends_every_session(member: Visitor) -> None:
    other = _ask(member.elsewhere())
    link = _link(other)
    page = other.get(link)
    assert (page.status, page.heading, member.email in page.text) == (200, "Choose a new password", True)
    page = other.submit("/password/reset", password="short")
    assert (page.status, "Use at least 12 characters." in page.text) == (422, True)
    assert member.signed_in()
    page = other.submit("/password/reset", password=NEW)
    assert (page.path, "Your password is changed" in page.text) == ("/login", True)
    assert not member.signed_in()
    assert member.elsewhere().sign_in().status == 422
    other.password = NEW
    other.sign_in()
    assert other.signed_in()
    page = member.elsewhere().get(link)
    assert (page.status, page.heading) == (410, "This link does not work")
    assert "This link was used already or is too old." in page.text


def test_reset__link_or_code_pasted__works_too(member: Visitor) -> None:
    other = _ask(member.elsewhere())
    link = _link(other)
    for pasted in (f"http://127.0.0.1{link}", link.partition("key=")[2]):
        other.get("/password/reset")
        page = other.submit("/password/reset", key=pasted)
        assert (page.status, member.email in page.text) == (200, True)
    other.submit("/password/reset", password=NEW)
    other.password = NEW
    other.sign_in()
    assert other.signed_in()


def test_reset__forged_key__changes_nothing(member: Visitor) -> None:
    other = _ask(member.elsewhere())
    forged = _link(other)[:-4] + "aaaa"
    assert other.get(forged).status == 410
    other.get(_link(other))
    page = other.submit("/password/reset", password=NEW, key=forged.partition("key=")[2])
    assert page.status == 410
    assert member.signed_in()
    fresh = member.elsewhere()
    fresh.sign_in()
    assert fresh.signed_in()


def test_forgot__with_a_session_that_is_over__works_all_the_same(member: Visitor) -> None:
    other = member.elsewhere()
    other.sign_in()
    member.get("/account/sessions")
    member.submit("/account/sessions/end", id="")
    _ask(other)
    assert (other.page.status, "A mail is on its way" in other.page.text) == (200, True)
    assert other.get(_link(other)).status == 200
