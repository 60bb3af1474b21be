"""The lane of the accounts: JSON errors with an id, bounded bodies, and 503 for trouble of ours."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from ikiro.stack.valkey import Valkey
from tests.accounts.support import Accounts
from tests.harness import Gateway, eventually, free_port
from tests.plugin import STACK


def _web(**overrides: str) -> Gateway:
    product = Gateway(STACK.env, **overrides)
    product.web.start()
    eventually(lambda: httpx.get(f"{product.base_url}/healthz", timeout=2).status_code == 200, within=20)
    return product


@pytest.fixture
def counting(gateway: Gateway, tmp_path: Path) -> Iterator[tuple[Accounts, Valkey]]:
    """A web process that counts attempts in a store of its own, which a test may stop."""
    runtime = STACK.places.runtime / "count"  # a socket's path must be short
    runtime.mkdir(exist_ok=True)
    store = Valkey(data=tmp_path / "data", runtime=runtime, log=tmp_path / "valkey.log")
    store.start()
    product = _web(IKIRO_CACHE_URL=store.url(0))
    with Accounts(product.base_url, Path(product.env["IKIRO_MAIL_DIR"])) as running:
        yield running, store
    product.web.stop()
    store.kill()


def test_unknown_path__under_the_accounts__is_json_with_an_id(accounts: Accounts) -> None:
    for path in ("/_allauth/app/v1/nothing", "/accounts/nothing/", "/_allauth/browser/v1/config"):
        answer = httpx.get(accounts.base_url + path)
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (404, "not_found")
        assert answer.headers["X-Request-Id"].startswith("req_")


@pytest.mark.parametrize("body", [b"{", b"[]", b'"x"', b"\xff\xfe", b'{"email": 3, "password": {"a": 1}}'])
def test_body__not_what_is_asked_for__is_400(accounts: Accounts, body: bytes) -> None:
    headers = {"content-type": "application/json"}
    answer = httpx.post(f"{accounts.base_url}/_allauth/app/v1/auth/login", content=body, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["status"] == 400


def test_body__too_large__is_413(accounts: Accounts) -> None:
    answer = httpx.post(f"{accounts.base_url}/_allauth/app/v1/auth/login", content=b" " * 300_000)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (413, "body_too_large")


@pytest.mark.outage
def test_store_stopped__sign_in__is_503_and_heals(counting: tuple[Accounts, Valkey]) -> None:
    accounts, store = counting
    person = accounts.member()
    store.stop()
    answer = person.elsewhere().sign_in()
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (503, "store_unavailable")
    assert int(answer.headers["Retry-After"]) >= 1
    wrong = person.elsewhere().sign_in("wrong")
    assert wrong.status_code == 503
    store.start()
    eventually(lambda: person.elsewhere().sign_in().status_code == 200)


@pytest.mark.outage
def test_database_away__sign_in__is_503_and_the_console_s_pages_need_none(gateway: Gateway) -> None:
    product = _web(IKIRO_DATABASE_URL=f"postgresql://nobody@127.0.0.1:{free_port()}/nothing")
    try:
        with Accounts(product.base_url, Path(product.env["IKIRO_MAIL_DIR"])) as running:
            person = running.person()
            person.token = "a" * 32
            for answer in (person.get("auth/session"), person.elsewhere().sign_in(), person.elsewhere().sign_up()):
                assert (answer.status_code, answer.json()["errors"][0]["code"]) == (503, "database_unavailable")
                assert int(answer.headers["Retry-After"]) >= 1
        assert httpx.get(f"{product.base_url}/static/console/icon.svg").status_code == 200
        assert httpx.get(f"{product.base_url}/login", follow_redirects=True).status_code == 200
    finally:
        product.web.stop()


def test_mail_server_away__sign_up__is_503(gateway: Gateway) -> None:
    product = _web(IKIRO_SMTP_URL=f"smtp://127.0.0.1:{free_port()}")
    try:
        with Accounts(product.base_url, Path(product.env["IKIRO_MAIL_DIR"])) as running:
            answer = running.person().sign_up()
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (503, "mail_unavailable")
    finally:
        product.web.stop()
