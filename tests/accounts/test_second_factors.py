"""Authenticator apps and recovery codes: enrolment, signing in, every code once, and trusted devices."""

from __future__ import annotations

from django.db import connections

from tests.accounts.support import Accounts, Person, codes, pending, totp


def _enrol(person: Person) -> str:
    """Add an authenticator app; returns its secret."""
    assert person.get("account/authenticators/totp").status_code == 404
    person.reauthenticate()
    secret = person.get("account/authenticators/totp").json()["meta"]["secret"]
    assert person.post("account/authenticators/totp", code=totp(secret, step=-1)).status_code == 200
    return secret


def _recovery_codes(person: Person) -> list[str]:
    person.reauthenticate()
    return person.get("account/authenticators/recovery-codes").json()["data"]["unused_codes"]


def test_totp__enrolled__is_asked_for_and_signs_in(accounts: Accounts) -> None:
    person = accounts.member()
    secret = _enrol(person)
    other = person.elsewhere()
    first = other.sign_in()
    assert (first.status_code, pending(first)) == (401, "mfa_authenticate")
    assert not other.signed_in()
    assert codes(other.post("auth/2fa/authenticate", code="000000")) == ["incorrect_code"]
    done = other.post("auth/2fa/authenticate", code=totp(secret))
    assert done.status_code == 200
    assert {"password", "mfa"} == {method["method"] for method in done.json()["data"]["methods"]}
    assert other.signed_in()


def test_totp__replayed__is_refused_also_the_one_of_the_enrolment(accounts: Accounts) -> None:
    person = accounts.member()
    assert person.get("account/authenticators/totp").status_code == 404
    person.reauthenticate()
    secret = person.get("account/authenticators/totp").json()["meta"]["secret"]
    enrolling, later = totp(secret), totp(secret, step=1)
    person.post("account/authenticators/totp", code=enrolling)
    first, second = person.elsewhere(), person.elsewhere()
    first.sign_in()
    second.sign_in()
    assert codes(first.post("auth/2fa/authenticate", code=enrolling)) == ["incorrect_code"]
    assert first.post("auth/2fa/authenticate", code=later).status_code == 200
    assert codes(second.post("auth/2fa/authenticate", code=later)) == ["incorrect_code"]
    assert codes(second.post("auth/2fa/authenticate", code=enrolling)) == ["incorrect_code"]
    assert not second.signed_in()


def test_totp__without_recent_password__is_not_changed(accounts: Accounts) -> None:
    person = accounts.member()
    secret = _enrol(person)
    other = person.elsewhere()
    other.sign_in()
    other.post("auth/2fa/authenticate", code=totp(secret))
    assert other.call("DELETE", "account/authenticators/totp").status_code == 401
    assert other.get("account/authenticators/totp").status_code == 200
    other.reauthenticate()
    assert other.call("DELETE", "account/authenticators/totp").status_code == 200
    assert person.elsewhere().sign_in().status_code == 200
    assert accounts.last_mail(person.email)["Subject"] == "The authenticator app was removed from your Ikiro account"


def test_recovery_code__used__works_once_and_codes_are_shown_once(accounts: Accounts) -> None:
    person = accounts.member()
    _enrol(person)
    unused = _recovery_codes(person)
    assert len(set(unused)) == 10
    assert "unused_codes" not in person.get("account/authenticators/recovery-codes").json()["data"]
    first, second = person.elsewhere(), person.elsewhere()
    first.sign_in()
    assert first.post("auth/2fa/authenticate", code=unused[0]).status_code == 200
    second.sign_in()
    assert codes(second.post("auth/2fa/authenticate", code=unused[0])) == ["incorrect_code"]
    assert second.post("auth/2fa/authenticate", code=unused[1]).status_code == 200


def test_code__wrong_too_often__locks_the_second_step(accounts: Accounts) -> None:
    person = accounts.member()
    secret = _enrol(person)
    other = person.elsewhere()
    other.sign_in()
    answers = [other.post("auth/2fa/authenticate", code="000000") for _ in range(6)]
    assert [answer.status_code for answer in answers] == [400] * 5 + [429]
    assert codes(answers[-1]) == ["locked_out"]
    assert other.post("auth/2fa/authenticate", code=totp(secret)).status_code == 429
    assert not other.signed_in()


def test_trusted_device__after_a_second_factor__spares_it_until_the_password_changes(accounts: Accounts) -> None:
    person = accounts.member()
    secret = _enrol(person)
    assert person.post("auth/2fa/trust", trust=True).status_code == 409  # this session came without a second factor
    other = person.elsewhere()
    other.sign_in()
    other.post("auth/2fa/authenticate", code=totp(secret))
    token = other.post("auth/2fa/trust", trust=True).json()["meta"]["trust_token"]
    again = person.elsewhere(**{"X-Trust-Token": token})
    assert again.sign_in().status_code == 200
    stranger = accounts.member(**{"X-Trust-Token": token})
    _enrol(stranger)
    assert stranger.elsewhere().sign_in().status_code == 401
    changed = "a quiet harbour at night"
    assert (
        again.post("account/password/change", current_password=again.password, new_password=changed).status_code == 200
    )
    assert pending(again.elsewhere().sign_in(changed)) == "mfa_authenticate"


def test_secrets__in_the_database__are_sealed(accounts: Accounts, committed_database: None) -> None:
    person = accounts.member()
    secret = _enrol(person)
    with connections["owner"].cursor() as cursor:
        cursor.execute("SELECT data::text FROM public.mfa_authenticator")
        stored = "".join(row[0] for row in cursor.fetchall())
    assert secret not in stored
    assert "seed" in stored
