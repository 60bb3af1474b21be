"""Signing up: the address is proved by code or by link, and a taken one gives nothing away."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import httpx
import pytest

from tests.accounts.support import Accounts, Person, address, codes, pending


def test_sign_up__code_from_the_mail__signs_in(accounts: Accounts) -> None:
    person = accounts.person()
    answer = person.sign_up(name="Nell")
    assert (answer.status_code, pending(answer)) == (401, "verify_email")
    assert answer.headers["X-Request-Id"].startswith("req_")
    assert not person.signed_in()
    verified = person.post("auth/email/verify", key=person.code())
    assert verified.status_code == 200
    user = verified.json()["data"]["user"]
    assert (user["email"], user["name"], user["id"][:4]) == (person.email, "Nell", "usr_")
    assert person.signed_in()


def test_sign_up__link_in_the_same_browser__signs_in(accounts: Accounts) -> None:
    person = accounts.person()
    person.sign_up()
    assert person.post("auth/email/verify", key=person.link_key()).status_code == 200
    assert person.signed_in()


def test_sign_up__link_in_another_browser__proves_the_address_and_the_first_one_goes_on(accounts: Accounts) -> None:
    person = accounts.person()
    person.sign_up()
    other, key, code = person.elsewhere(), person.link_key(), person.code()
    looked = other.call("GET", "auth/email/verify", x_email_verification_key=key)
    assert (looked.status_code, looked.json()["data"]["email"]) == (200, person.email)
    assert person.elsewhere().sign_in().status_code != 200  # looking proves nothing
    assert other.post("auth/email/verify", key=key).status_code == 401
    assert other.token is None
    assert other.sign_in().status_code == 200
    assert not person.signed_in()
    assert person.post("auth/email/verify", key=code).status_code == 200
    assert person.elsewhere().post("auth/email/verify", key=key).status_code == 401  # again: nothing happens


def test_link__forged_or_of_an_older_password__is_refused(accounts: Accounts) -> None:
    person, stranger = accounts.person(), accounts.person()
    person.sign_up()
    key = person.link_key()
    forged = stranger.post("auth/email/verify", key=key[:-2] + ("AA" if key[-2:] != "AA" else "BB"))
    assert (forged.status_code, codes(forged)) == (400, ["invalid_or_expired_key"])
    assert person.elsewhere().sign_in().status_code != 200
    person.post("auth/password/request", email=person.email)
    reset = person.link_key("Choose a new Ikiro password")
    assert person.post("auth/password/reset", key=reset, password="another quiet harbour").status_code == 401
    assert codes(stranger.post("auth/email/verify", key=key)) == ["invalid_or_expired_key"]


def test_code__wrong__is_refused_and_after_five_the_sign_up_must_begin_again(accounts: Accounts) -> None:
    person = accounts.person()
    person.sign_up()
    wrong = "000000" if person.code() != "000000" else "111111"
    for _ in range(5):
        assert codes(person.post("auth/email/verify", key=wrong)) == ["incorrect_code"]
    assert person.post("auth/email/verify", key=person.code()).status_code == 409
    assert not person.signed_in()


def test_code__too_old__is_refused(strict: Accounts) -> None:
    person = strict.person(x_forwarded_for=address())
    person.sign_up()
    code = person.code()
    time.sleep(1.5)
    assert person.post("auth/email/verify", key=code).status_code == 409
    assert not person.signed_in()


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("short", "password_too_short"),
        ("q1w2e3r4t5y6", "password_too_common"),
        ("{email}", "password_too_similar"),
    ],
)
def test_sign_up__weak_password__is_refused_and_makes_no_account(accounts: Accounts, password: str, code: str) -> None:
    person = accounts.person()
    person.password = password.format(email=person.email)
    answer = person.sign_up()
    assert (answer.status_code, code in codes(answer)) == (400, True)
    assert accounts.mails_to(person.email) == []


def test_sign_up__taken_address__answers_like_a_new_one_and_tells_its_owner(accounts: Accounts) -> None:
    owner = accounts.member()
    stranger, fresh = accounts.person(owner.email), accounts.person()
    stranger.password = "somebody else's password"
    taken, new = stranger.sign_up(), fresh.sign_up()
    assert taken.status_code == new.status_code == 401
    hidden = {"session_token"}
    plain = [{**answer.json(), "meta": answer.json()["meta"].keys() - hidden} for answer in (taken, new)]
    assert plain[0] == plain[1]
    assert taken.json()["meta"].keys() == new.json()["meta"].keys()
    assert taken.headers.keys() == new.headers.keys()
    assert accounts.last_mail(owner.email)["Subject"] == "You already have an Ikiro account"
    assert codes(stranger.post("auth/email/verify", key="123456")) == ["incorrect_code"]
    assert codes(fresh.post("auth/email/verify", key="123456" if fresh.code() != "123456" else "654321")) == [
        "incorrect_code"
    ]
    assert stranger.sign_in().status_code == 400  # the owner's password still is the password
    assert owner.elsewhere().sign_in().status_code == 200


def _median(attempt: Callable[[], httpx.Response], expected: int, times: int = 7) -> float:
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        assert attempt().status_code == expected
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken)


def test_timing__known_and_unknown_addresses__are_alike(strict: Accounts) -> None:
    def stranger(email: str = "") -> Person:
        return strict.person(email, x_forwarded_for=address())

    # The accounts are different ones each time, so that no limit of one account interferes.
    members = []
    for _ in range(8):
        one = stranger()
        one.sign_up()
        one.post("auth/email/verify", key=one.link_key())
        members.append(one.email)
    emails = iter(members)
    wrong = _median(lambda: stranger(next(emails)).sign_in("not the password"), 400)
    unknown = _median(lambda: stranger().sign_in("not the password"), 400)
    assert 1 / 3 < wrong / unknown < 3
    new = _median(lambda: stranger().sign_up(), 401)
    emails = iter(members)
    taken = _median(lambda: stranger(next(emails)).sign_up(), 401)
    assert 1 / 3 < new / taken < 3


def test_address__claimed_by_an_unproved_account__belongs_to_who_proves_it(accounts: Accounts) -> None:
    squatter, owner = accounts.person(), accounts.member()
    squatter.sign_up()
    old = squatter.code()
    owner.reauthenticate()
    assert owner.post("account/email", email=squatter.email).status_code == 200
    mine = accounts.person(squatter.email)
    assert owner.post("auth/email/verify", key=mine.code()).status_code == 200
    assert owner.get("auth/session").json()["data"]["user"]["email"] == squatter.email
    assert mine.sign_in(owner.password).status_code == 200
    assert codes(squatter.post("auth/email/verify", key=old)) == ["email_taken"]
    assert not squatter.signed_in()
