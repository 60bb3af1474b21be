"""The account's own pages, without scripts."""

from __future__ import annotations

import pytest

from tests.accounts.support import Accounts
from tests.console.auth.conftest import Newcomer
from tests.console.auth.support import Visitor
from tests.harness import eventually


@pytest.mark.parametrize(
    "path",
    [
        "/account/profile",
        "/account/security",
        "/account/sessions",
        "/account/shortcuts",
        "/account/delete",
        "/account/reauthenticate",
        "/account/security/totp",
        "/account/security/recovery-codes",
        "/account/security/passkeys/new",
        "/account/security/passkeys/1",
        "/account/security/off",
    ],
)
def test_page__signed_out__leads_to_sign_in_and_back(newcomer: Newcomer, path: str) -> None:
    page = newcomer().get(path)
    assert (page.status, page.path, page.form("/login")["next"]) == (200, "/login", path)


def test_name__changed__shows_at_once_and_a_bad_one_is_kept_in_the_form(member: Visitor) -> None:
    member.get("/account/profile")
    page = member.submit("/account/profile", name="x" * 300)
    assert page.status == 422
    assert page.form("/account/profile")["name"] == "x" * 300
    page = member.submit("/account/profile", name="Nell <b>")
    assert (page.status, page.path) == (200, "/account/profile")
    assert page.form("/account/profile")["name"] == "Nell <b>"
    assert "Nell &lt;b&gt;" in page.response.text
    assert "Nell <b>" not in page.response.text


def test_email__changed__counts_only_when_the_code_was_entered(member: Visitor, newcomer: Newcomer) -> None:
    old, new = member.email, newcomer().email
    member.get("/account/profile")
    page = member.submit("/account/email", email=new)
    assert page.path == "/account/reauthenticate"
    page = member.submit("/account/reauthenticate", kind="password", password=member.password)
    assert page.form("/account/email")["email"] == new  # what was typed is still there
    page = member.submit("/account/email")
    assert (page.path, new in page.text) == ("/verify", True)
    assert f"You sign in with {old}" in member.get("/account/profile").text
    assert f"{new} waits to be confirmed." in member.page.text
    member.get("/verify")
    code = member.accounts.person(new).code()
    assert member.submit("/verify", code="000000" if code != "000000" else "111111").status == 422
    page = member.submit("/verify", code=code)
    assert (page.path, f"You sign in with {new}" in page.text) == ("/account/profile", True)
    other = member.elsewhere()
    assert other.sign_in().status == 422
    other.email = new
    other.sign_in()
    assert other.signed_in()


def test_password__changed__ends_other_sessions_and_a_wrong_or_weak_one_changes_nothing(member: Visitor) -> None:
    other, action = member.elsewhere(), "/account/security/password"
    other.sign_in()
    member.get("/account/security")
    page = member.submit(action, current_password="not the password", new_password="another quiet harbour")
    assert (page.status, "This is not your current password." in page.text) == (422, True)
    page = member.submit(action, current_password=member.password, new_password="short")
    assert (page.status, "Use at least 12 characters." in page.text) == (422, True)
    assert other.signed_in()
    page = member.submit(action, current_password=member.password, new_password="another quiet harbour")
    assert (page.path, "Your password is changed." in page.text) == ("/account/security", True)
    assert member.signed_in()
    assert not other.signed_in()


def test_sessions__list__names_devices_and_ends_one_or_all_others(member: Visitor) -> None:
    phone, laptop = member.elsewhere(), member.elsewhere()
    phone.client.headers["User-Agent"] = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0) Safari/604.1"
    laptop.client.headers["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    phone.sign_in()
    laptop.sign_in()
    page = member.get("/account/sessions")
    assert page.text.count("this one") == 1
    for words in ("Safari on iPhone", "Firefox on Linux", "127.0.0.1"):
        assert words in page.text
    phone.get("/account/sessions")
    member.page = phone.page
    phone.submit("/account/sessions/end")  # the first form: its own session
    assert phone.page.path == "/login"
    assert not phone.signed_in()
    assert laptop.signed_in()
    page = member.get("/account/sessions")
    assert "Safari on iPhone" not in page.text
    page = member.submit("/account/sessions/end", id="")
    assert "The session is ended." in page.text
    assert not laptop.signed_in()
    assert member.signed_in()


def test_session__of_somebody_else__cannot_be_ended(member: Visitor, accounts: Accounts) -> None:
    stranger = accounts.member()
    theirs = stranger.get("auth/sessions").json()["data"][0]["id"]
    member.get("/account/sessions")
    page = member.submit("/account/sessions/end", id=str(theirs))
    assert "Nothing to end" in page.text
    assert stranger.signed_in()
    assert member.signed_in()


def test_delete__needs_proof_and_the_address_typed_out__and_then_nobody_is_left(member: Visitor) -> None:
    member.prove("/account/delete")
    page = member.submit("/account/delete", confirm="delete")
    assert (page.status, f"Type {member.email} to confirm." in page.text) == (422, True)
    assert member.signed_in()
    page = member.submit("/account/delete", confirm=member.email.upper())
    assert (page.path, "Your account is deleted." in page.text) == ("/login", True)
    assert not member.signed_in()
    assert member.elsewhere().sign_in().status == 422


def test_delete__last_owner__names_the_organizations_and_deletes_nothing(newcomer: Newcomer) -> None:
    owner = newcomer()
    slug = f"last-{owner.email[7:15]}"
    owner.sign_up(organization=slug)
    owner.submit("/verify", code=owner.code)
    eventually(lambda: owner.get(f"/o/{slug}/keys").path == f"/o/{slug}/keys" and owner.page.status == 200, within=30)
    owner.prove("/account/delete")
    page = owner.submit("/account/delete", confirm=owner.email)
    assert page.status == 409
    assert "You are the last owner of" in page.text
    assert f'href="/o/{slug}/members"' in page.response.text
    assert owner.signed_in()


def test_shortcuts__off_and_theme_dark__are_in_every_page_after(member: Visitor) -> None:
    page = member.get("/account/shortcuts")
    assert 'data-shortcuts="on"' in page.response.text
    form = page.form("/preferences")
    member.client.post("/preferences", data={**form, "name": "shortcuts", "value": "off"})
    member.client.post("/preferences", data={**form, "name": "theme", "value": "dark"})
    page = member.get("/account/shortcuts")
    assert 'data-theme="dark"' in page.response.text
    assert 'data-shortcuts="off"' in page.response.text


def test_passkey__that_is_not_mine__is_not_found(member: Visitor) -> None:
    member.prove("/account/security/totp")
    assert member.get("/account/security/passkeys/1").status == 404
