"""The whole way with a provider that is not ours: django-allauth's own OpenID provider."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.harness import ROOT, Process, eventually, free_port
from tests.sso.allauth_idp import CLIENT_ID, CLIENT_SECRET
from tests.sso.support import Browser, Company, trade


@pytest.fixture(scope="module")
def provider(acme: Company, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Its address, and the person who signs in there."""
    port, email = free_port(), acme.address("staff")
    redirect_uri = acme.call("GET", "/v1/sso").json()["service_provider"]["redirect_uri"]
    script = str(Path("tests/sso/allauth_idp.py"))
    directory = str(tmp_path_factory.mktemp("idp"))
    env = {name: value for name, value in os.environ.items() if not name.startswith(("IKIRO_", "DJANGO_"))}
    process = Process([script, str(port), directory, redirect_uri, email], {**env, "PYTHONPATH": str(ROOT)})
    process.start()
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        return httpx.get(f"{url}/.well-known/openid-configuration", timeout=5).status_code == 200

    try:
        eventually(answers, within=40, every=0.2)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{process.output[-3000:]}") from None
    finally:
        if process.popen is not None and process.popen.poll() is not None:
            process.kill()
    yield url, email
    process.kill()


def test_allauths_provider__tested_enforced_and_signed_in_by(
    acme: Company, globex: Company, provider: tuple[str, str]
) -> None:
    url, email = provider
    body = {"issuer": url, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    answer = acme.call("PUT", "/v1/sso", {"kind": "oidc", "oidc": body, "default_role": "developer"})
    assert answer.status_code == 200, answer.text
    assert Browser(acme).go(acme.test_url()).query == {"tested": "ok"}, acme.connection()["last_test"]
    assert acme.connection()["last_test"]["claims"]["name"] == "Staff Member"
    assert email not in acme.members()
    assert acme.enforce().status_code == 200
    browser = Browser(acme)
    session = browser.exchange(browser.go().query["code"]).json()["session_token"]
    traded = trade(acme.gateway, session, acme.slug).json()
    assert (traded["user"]["email"], traded["user"]["name"]) == (email, "Staff Member")
    assert acme.members()[email] == "developer"
    me = eventually(lambda: acme.call("GET", "/v1/me", token=traded["token"]).json().get("user"))
    assert me["email"] == email
    assert set(globex.members()) == {globex.owner.email}
