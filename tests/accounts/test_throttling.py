"""Attempts are counted per account and per address, and a refusal says when it ends."""

from __future__ import annotations

import time
from datetime import datetime

import httpx
import pytest

from tenants.accounts.address import HEADER, vouch
from tests.accounts.support import Accounts, Person, address, codes


def _until(answer: httpx.Response, code: str) -> float:
    """Checks a refusal and returns the seconds until it ends."""
    assert answer.status_code == 429
    [error] = answer.json()["errors"]
    assert error["code"] == code
    assert error["until"].endswith("Z")
    left = datetime.fromisoformat(error["until"]).timestamp() - time.time()
    assert abs(left - int(answer.headers["Retry-After"])) < 2
    return left


def _member(accounts: Accounts) -> Person:
    person = accounts.person(x_forwarded_for=address())
    person.sign_up()
    person.post("auth/email/verify", key=person.link_key())
    return person


def test_lockout__after_three_wrong_passwords__refuses_the_right_one_until_it_says(strict: Accounts) -> None:
    person, bystander = _member(strict), _member(strict)
    for _ in range(3):  # from a new address each time: the account itself is what is counted
        assert codes(person.elsewhere(x_forwarded_for=address()).sign_in("wrong")) == ["email_password_mismatch"]
    locked = person.elsewhere(x_forwarded_for=address())
    left = _until(locked.sign_in(), "locked_out")
    assert 0 < left <= 6
    assert locked.token is None
    assert bystander.sign_in().status_code == 200
    time.sleep(left + 0.5)
    assert person.sign_in().status_code == 200


def test_lockout__unknown_account__answers_like_a_known_one(strict: Accounts) -> None:
    nobody = strict.person()
    answers = [nobody.elsewhere(x_forwarded_for=address()).sign_in("wrong") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [400, 400, 400, 429]
    _until(answers[-1], "locked_out")


def test_address__many_accounts_from_one__is_refused_and_another_is_not(strict: Accounts) -> None:
    here, there = address(), address()
    answers = [strict.person(x_forwarded_for=here).sign_in("wrong").status_code for _ in range(6)]
    assert answers == [400] * 6
    left = _until(strict.person(x_forwarded_for=here).sign_in("wrong"), "locked_out")
    assert 30 < left <= 62
    assert strict.person(x_forwarded_for=there).sign_in("wrong").status_code == 400


def test_sign_up__many_from_one_address__is_refused(strict: Accounts) -> None:
    here = address()
    for _ in range(6):
        assert strict.person(x_forwarded_for=here).sign_up().status_code == 401
    refused = strict.person(x_forwarded_for=here)
    _until(refused.sign_up(), "too_many_requests")
    assert strict.mails_to(refused.email) == []


def test_reset__many_for_one_account__is_refused_and_sends_nothing_more(strict: Accounts) -> None:
    person = _member(strict)
    answers = [
        person.elsewhere(x_forwarded_for=address()).post("auth/password/request", email=person.email) for _ in range(6)
    ]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    _until(answers[-1], "too_many_requests")
    assert sum(mail["Subject"] == "Choose a new Ikiro password" for mail in strict.mails_to(person.email)) == 5


def test_code__many_tries_over_several_mails__locks_the_address(accounts: Accounts) -> None:
    person = accounts.person()
    tried = 0
    last = person.sign_up()
    for _ in range(3):
        for _ in range(5):
            last = person.post("auth/email/verify", key="000000")
            tried += last.status_code == 400
        if last.status_code == 429:
            break
        time.sleep(0.2)
        assert person.sign_in().status_code == 401  # a new code for a new attempt
    _until(last, "locked_out")
    assert tried == 10


def test_console__its_word_for_a_visitor__counts_and_a_forged_one_does_not(strict: Accounts) -> None:
    visitor, gateway = address(), address()
    # The product's secret, as a console with the same configuration has it.
    person = _member(strict)
    said = person.elsewhere(**{"x-forwarded-for": gateway, HEADER: vouch(visitor)})
    assert said.sign_in().status_code == 200
    forged = person.elsewhere(**{"x-forwarded-for": gateway, HEADER: vouch(visitor)[:-4] + "0000"})
    assert forged.sign_in().status_code == 200
    sessions = said.get("auth/sessions").json()["data"]
    assert [one["ip"] for one in sessions if one["is_current"]] == [visitor]
    assert gateway in [one["ip"] for one in forged.get("auth/sessions").json()["data"] if one["is_current"]]


@pytest.mark.parametrize("value", ["", ";;", "198.51.100.1;1;00", "nonsense;1700000000;00", "198.51.100.1;9e9;é"])
def test_vouched__nonsense__is_nobodys_word(value: str, rf: object) -> None:
    from tenants.accounts.address import client_address

    request = rf.get("/", headers={HEADER: value})
    assert client_address(request) == "127.0.0.1"


def test_vouched__old__is_nobodys_word(rf: object) -> None:
    from tenants.accounts.address import client_address

    fresh, old = vouch("198.51.100.1"), vouch("198.51.100.1", now=time.time() - 120)
    assert client_address(rf.get("/", headers={HEADER: fresh})) == "198.51.100.1"
    assert client_address(rf.get("/", headers={HEADER: old})) == "127.0.0.1"
    assert client_address(rf.get("/", headers={"X-Forwarded-For": "198.51.100.1"})) == "127.0.0.1"
