"""The console of the running product, and people in front of it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.accounts.support import Accounts
from tests.console.auth.support import Visitor, fresh_client
from tests.harness import Gateway
from tests.plugin import STACK

Newcomer = Callable[[], Visitor]


@pytest.fixture(scope="session")
def accounts(gateway: Gateway) -> Iterator[Accounts]:
    with Accounts(gateway.base_url, Path(gateway.env["IKIRO_MAIL_DIR"])) as running:
        yield running


@pytest.fixture(scope="session")
def strict(gateway: Gateway) -> Iterator[Accounts]:
    """A second web process: three wrong passwords lock an account for four seconds, and codes are mailed
    ten seconds apart."""
    product = Gateway(STACK.env, IKIRO_LOCKOUT_AFTER="3", IKIRO_LOCKOUT_S="4", IKIRO_MAIL_PAUSE_S="10")
    product.web.start()
    product.wait_ready()
    with Accounts(product.base_url, Path(product.env["IKIRO_MAIL_DIR"])) as running:
        yield running
    product.web.stop()


@pytest.fixture
def newcomer(accounts: Accounts) -> Iterator[Newcomer]:
    """Somebody with an address that nobody had before."""
    made: list[Visitor] = []

    def make() -> Visitor:
        email = f"member-{secrets.token_hex(6)}@acme.example"
        made.append(Visitor(accounts, fresh_client(accounts.base_url), email))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def member(newcomer: Newcomer) -> Visitor:
    """Somebody who signed up here and proved the address."""
    visitor = newcomer()
    visitor.sign_up(organization="")
    visitor.submit("/verify", code=visitor.code)
    assert visitor.signed_in()
    return visitor
