"""Passkeys: added after the password was asked for, then enough to sign in; bound to the console's host."""

from __future__ import annotations

from dataclasses import replace

from tests.accounts.passkey import Passkey
from tests.accounts.support import Accounts, Person, codes, pending

HOST = "localhost"  # of a console on a loopback address


def _add(person: Person, passkey: Passkey) -> None:
    assert person.get("account/authenticators/webauthn?passwordless").status_code == 401
    person.reauthenticate()
    options = person.get("account/authenticators/webauthn?passwordless").json()["data"]["creation_options"]
    assert options["publicKey"]["rp"]["id"] == HOST
    credential = passkey.create(options)
    assert person.post("account/authenticators/webauthn", name="Laptop", credential=credential).status_code == 200


def _passkey(accounts: Accounts) -> Passkey:
    return Passkey(accounts.base_url.replace("127.0.0.1", HOST), HOST)


def _sign_in(person: Person, passkey: Passkey) -> object:
    options = person.get("auth/webauthn/login").json()["data"]["request_options"]
    return person.post("auth/webauthn/login", credential=passkey.get(options))


def test_passkey__added__signs_in_without_a_password(accounts: Accounts) -> None:
    person, passkey = accounts.member(), _passkey(accounts)
    _add(person, passkey)
    assert accounts.last_mail(person.email)["Subject"] == "A passkey was added to your Ikiro account"
    other = person.elsewhere()
    answer = _sign_in(other, passkey)
    assert answer.status_code == 200
    assert answer.json()["data"]["user"]["email"] == person.email
    assert other.signed_in()
    listed = other.get("account/authenticators").json()["data"]
    assert [one["name"] for one in listed if one["type"] == "webauthn"] == ["Laptop"]


def test_passkey__as_the_second_step__completes_a_sign_in_by_password(accounts: Accounts) -> None:
    person, passkey = accounts.member(), _passkey(accounts)
    _add(person, passkey)
    other = person.elsewhere()
    assert pending(other.sign_in()) == "mfa_authenticate"
    options = other.get("auth/webauthn/authenticate").json()["data"]["request_options"]
    assert other.post("auth/webauthn/authenticate", credential=passkey.get(options)).status_code == 200
    assert other.signed_in()


def test_passkey__of_another_key_site_or_challenge__is_refused(accounts: Accounts) -> None:
    person, passkey = accounts.member(), _passkey(accounts)
    _add(person, passkey)
    for wrong in (
        replace(_passkey(accounts), id=passkey.id, handle=passkey.handle),
        replace(passkey, origin="https://evil.example"),
        replace(passkey, rp_id="evil.example"),
    ):
        other = person.elsewhere()
        assert codes(_sign_in(other, wrong)) == ["incorrect_code"]
        assert not other.signed_in()
    replayed = person.elsewhere()
    answer = passkey.get(replayed.get("auth/webauthn/login").json()["data"]["request_options"])
    assert replayed.post("auth/webauthn/login", credential=answer).status_code == 200
    again = person.elsewhere()
    again.get("auth/webauthn/login")
    assert codes(again.post("auth/webauthn/login", credential=answer)) == ["incorrect_code"]


def test_passkey__removed__signs_in_no_more(accounts: Accounts) -> None:
    person, passkey = accounts.member(), _passkey(accounts)
    _add(person, passkey)
    [mine] = [one["id"] for one in person.get("account/authenticators").json()["data"] if one["type"] == "webauthn"]
    assert person.call("DELETE", "account/authenticators/webauthn", {"authenticators": [mine]}).status_code == 200
    other = person.elsewhere()
    assert codes(_sign_in(other, passkey)) == ["incorrect_code"]
    assert other.sign_in().status_code == 200


def test_passkey__nonsense__is_400(accounts: Accounts) -> None:
    person = accounts.person()
    person.get("auth/webauthn/login")
    for credential in ({}, {"id": 3}, {"response": {"userHandle": "%%"}}, {"response": 7}, "x", [1]):
        assert person.post("auth/webauthn/login", credential=credential).status_code == 400
