"""Passkeys through the console, with a key in software in the place of the browser's."""

from __future__ import annotations

import json

from tests.accounts.passkey import Passkey
from tests.console.auth.support import Visitor

_ADD = "/account/security/passkeys/new"


def _passkey(visitor: Visitor) -> Passkey:
    return Passkey(visitor.accounts.base_url.replace("127.0.0.1", "localhost"), "localhost")


def _add(visitor: Visitor, passkey: Passkey, name: str) -> None:
    visitor.prove(_ADD)
    options = visitor.client.get("/account/security/passkeys/options").json()
    visitor.submit(_ADD, name=name, credential=json.dumps(passkey.create(options)))


def test_passkey__added__shows_recovery_codes_once_and_signs_in_alone(member: Visitor) -> None:
    passkey = _passkey(member)
    _add(member, passkey, "Work laptop")
    assert (member.page.status, member.page.heading) == (200, "The passkey Work laptop is added.")
    assert "Keep these recovery codes" in member.page.text
    page = member.get("/account/security")
    assert "Work laptop" in page.text
    assert "Keep these recovery codes" not in page.text
    other = member.elsewhere()
    other.get("/login?next=/account/sessions")
    options = other.client.get("/login/passkey/options").json()
    page = other.submit("/login/passkey", credential=json.dumps(passkey.get(options)))
    assert (page.status, page.path) == (200, "/account/sessions")
    assert other.signed_in()


def test_passkey__as_second_factor_and_as_fresh_proof__is_enough(member: Visitor) -> None:
    passkey = _passkey(member)
    _add(member, passkey, "Laptop")
    other = member.elsewhere()
    assert other.sign_in().path == "/login/mfa"
    options = other.client.get("/login/mfa/passkey/options").json()
    other.submit("/login/mfa/passkey", credential=json.dumps(passkey.get(options)))
    assert other.signed_in()
    other.get("/account/security/off")
    options = other.client.get("/account/reauthenticate/options").json()
    page = other.submit("/account/reauthenticate", kind="passkey", credential=json.dumps(passkey.get(options)))
    assert page.path == "/account/security/off"


def test_passkey__foreign_or_broken__is_refused_with_words(member: Visitor) -> None:
    mine, foreign = _passkey(member), _passkey(member)
    _add(member, mine, "Laptop")
    other = member.elsewhere()
    for given in ("", "x", "[]", "{}", json.dumps({"id": "x", "type": "public-key"}), "9" * 30_000):
        other.get("/login")
        other.client.get("/login/passkey/options")
        page = other.submit("/login/passkey", credential=given)
        assert (page.status, page.path) == (422, "/login/passkey"), given[:40]
    foreign.id, foreign.handle = mine.id, mine.handle
    options = other.client.get("/login/passkey/options").json()
    page = other.submit("/login/passkey", credential=json.dumps(foreign.get(options)))
    assert (page.status, "This passkey belongs to no account here." in page.text) == (422, True)
    assert not other.signed_in()


def test_passkey__renamed_and_removed__shows_so(member: Visitor) -> None:
    passkey = _passkey(member)
    _add(member, passkey, "Laptop")
    number = member.get("/account/security").response.text.partition("/account/security/passkeys/")[2].partition('"')[0]
    page = f"/account/security/passkeys/{number}"
    member.prove(page)
    member.submit(page, name="Old laptop")
    assert "Old laptop" in member.page.text
    member.get(page)
    member.submit(f"{page}/remove")
    assert "The passkey Old laptop is removed." in member.page.text
    other = member.elsewhere()
    other.sign_in()
    assert other.signed_in()  # no second factor is left
