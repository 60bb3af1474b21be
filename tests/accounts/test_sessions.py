"""Sessions: listed with device and address, ended one by one or all at once, and never outliving a password."""

from __future__ import annotations

import uuid

from tests.accounts.support import Accounts, codes
from tests.harness import Gateway

NEW = "a quiet harbour at night"


def test_sessions__two_devices__are_listed_and_one_is_ended_by_the_other(accounts: Accounts) -> None:
    person = accounts.member(**{"User-Agent": "Laptop"})
    phone = person.elsewhere(**{"User-Agent": "Phone"})
    phone.sign_in()
    listed = person.get("auth/sessions").json()["data"]
    assert {(one["user_agent"], one["is_current"]) for one in listed} == {("Laptop", True), ("Phone", False)}
    assert all(one["ip"] == "127.0.0.1" and one["last_seen_at"] >= one["created_at"] for one in listed)
    ending = [one["id"] for one in listed if one["user_agent"] == "Phone"]
    ended = person.call("DELETE", "auth/sessions", {"sessions": ending})
    assert [one["user_agent"] for one in ended.json()["data"]] == ["Laptop"]
    assert phone.get("auth/session").status_code == 410
    assert person.signed_in()


def test_sessions__of_somebody_else__cannot_be_ended(accounts: Accounts) -> None:
    person, stranger = accounts.member(), accounts.member()
    mine = person.get("auth/sessions").json()["data"][0]["id"]
    assert stranger.call("DELETE", "auth/sessions", {"sessions": [mine]}).status_code == 400
    assert person.signed_in()


def test_sign_out__session_token__is_worth_nothing_any_more(accounts: Accounts) -> None:
    person = accounts.member()
    token = person.token
    assert person.call("DELETE", "auth/session").status_code == 401
    person.token = token
    assert person.get("auth/session").status_code == 410


def test_password_change__other_sessions__end_at_once_and_this_one_stays(accounts: Accounts) -> None:
    person = accounts.member()
    other = person.elsewhere()
    other.sign_in()
    weak = person.post("account/password/change", current_password=person.password, new_password="short")
    assert codes(weak) == ["password_too_short"]
    wrong = person.post("account/password/change", current_password="wrong", new_password=NEW)
    assert codes(wrong) == ["enter_current_password"]
    assert other.signed_in()
    before = person.token
    assert person.post("account/password/change", current_password=person.password, new_password=NEW).status_code == 200
    assert person.token != before
    assert person.signed_in()
    assert other.get("auth/session").status_code == 410
    assert other.sign_in().status_code == 400
    assert other.sign_in(NEW).status_code == 200
    assert accounts.last_mail(person.email)["Subject"] == "Your Ikiro password was changed"


def test_reset__by_the_link__ends_every_session_and_works_once(accounts: Accounts) -> None:
    person = accounts.member()
    lost = person.elsewhere()
    assert lost.post("auth/password/request", email=person.email).status_code == 200
    key = lost.link_key("Choose a new Ikiro password")
    looked = lost.call("GET", "auth/password/reset", x_password_reset_key=key)
    assert looked.json()["data"]["user"]["email"] == person.email
    assert codes(lost.post("auth/password/reset", key=key, password="short")) == ["password_too_short"]
    assert person.signed_in()
    assert lost.post("auth/password/reset", key=key, password=NEW).status_code == 401  # sign in with it
    assert person.get("auth/session").status_code == 410
    assert codes(lost.post("auth/password/reset", key=key, password="yet another password")) == [
        "invalid_password_reset"
    ]
    assert lost.sign_in(NEW).status_code == 200


def test_reset__unknown_account__answers_alike_and_mails_that_there_is_none(accounts: Accounts) -> None:
    known, unknown = accounts.member(), accounts.person()
    answers = [one.elsewhere().post("auth/password/request", email=one.email) for one in (known, unknown)]
    assert [(answer.status_code, answer.json()) for answer in answers] == [(200, {"status": 200})] * 2
    assert accounts.last_mail(unknown.email)["Subject"] == "There is no Ikiro account for this address"


def test_email_change__proved__replaces_the_address_and_tells_the_old_one(accounts: Accounts) -> None:
    person, taken = accounts.member(), accounts.member()
    old, new = person.email, accounts.person()
    assert person.post("account/email", email=new.email).status_code == 401  # the password first
    person.reauthenticate()
    assert person.post("account/email", email=taken.email).status_code == 200  # no oracle
    assert codes(person.post("auth/email/verify", key=taken.code())) != []
    assert person.post("account/email", email=new.email).status_code == 200
    assert person.get("auth/session").json()["data"]["user"]["email"] == old
    assert person.elsewhere().post("auth/email/verify", key=new.link_key()).status_code == 401
    assert person.get("auth/session").json()["data"]["user"]["email"] == new.email
    assert accounts.last_mail(old)["Subject"] == "Your Ikiro e-mail address was changed"
    assert new.sign_in(person.password).status_code == 200
    assert person.elsewhere().sign_in().status_code == 400
    assert taken.signed_in()


def test_demo__owner_of_an_organization__signs_in(gateway: Gateway, accounts: Accounts) -> None:
    with open(gateway.env["IKIRO_DEMO_PASSWORD_FILE"]) as file:
        password = file.read().strip()
    assert accounts.person("owner@acme.example").sign_in(password).status_code == 200
    assert accounts.person("owner@globex.example").sign_in(password).status_code == 200


def test_session_token__nonsense__is_gone(accounts: Accounts) -> None:
    person = accounts.person()
    for token in ("x" * 32, "../../etc", uuid.uuid4().hex, "a" * 4000, "'; DROP"):
        person.token = token
        assert person.get("auth/session").status_code == 410
