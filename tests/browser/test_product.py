"""The whole product in a browser: a person signs up, makes an organization, and sees a call arrive."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect

from console import session
from console.sealing import unseal
from tests.accounts.support import Accounts
from tests.browser.windows import Windows
from tests.console.auth.support import Visitor, fresh_client
from tests.harness import Gateway, eventually


@pytest.fixture
def person(gateway: Gateway) -> Iterator[Visitor]:
    """Somebody with a proved address and no organization yet."""
    accounts = Accounts(gateway.base_url, Path(gateway.env["IKIRO_MAIL_DIR"]))
    email = f"owner-{secrets.token_hex(6)}@acme.example"
    visitor = Visitor(accounts, fresh_client(accounts.base_url), email)
    visitor.sign_up(organization="")
    visitor.submit("/verify", code=visitor.code)
    yield visitor
    visitor.close()


def _token(visitor: Visitor, organization: str | None) -> str:
    sealed = visitor.client.cookies[session.COOKIE]
    mine = unseal(sealed, "session", max_age=600)
    answer = visitor.client.post(
        "/v1/auth/token", json={"organization": organization}, headers={"X-Session-Token": mine[0]}
    )
    assert answer.status_code == 200, answer.text
    return str(answer.json()["token"])


def _organization(visitor: Visitor) -> str:
    """A ready organization of this person, made over the API."""
    headers = {"Authorization": f"Bearer {_token(visitor, None)}"}
    slug = f"it-{secrets.token_hex(5)}"
    made = visitor.client.post("/v1/organizations", json={"name": "Harbour", "slug": slug}, headers=headers)
    assert made.status_code == 201, made.text

    def ready() -> bool:
        return bool(visitor.client.get(f"/v1/organizations/{slug}", headers=headers).json()["state"] == "ready")

    eventually(ready, within=60)
    return slug


def test_overview__of_a_real_organization__shows_a_call_within_moments(
    windows: Windows, gateway: Gateway, person: Visitor
) -> None:
    slug = _organization(person)
    context = windows.context()
    context.add_cookies(
        [{"name": session.COOKIE, "value": person.client.cookies[session.COOKIE], "url": gateway.base_url}]
    )
    with windows.open(f"{gateway.base_url}/", context=context) as page:
        page.wait_for_url(f"**/o/{slug}/")
        expect(page.get_by_role("heading", name="Requests show up here")).to_be_visible()
        windows.check(page, "product-overview-empty")
        asked = _chat(gateway, _token(person, slug))
        expect(page.locator("#latest tbody tr").first).to_contain_text("ikiro/sandbox", timeout=15_000)
        expect(page.locator("#latest tbody tr td").first).to_have_attribute("title", asked)
        expect(page.locator("#needs strong")).to_have_text("1", timeout=15_000)
        windows.check(page, "product-overview")
        assert _left(gateway, _token(person, slug)) >= 59  # the page asked a dozen times, the call was one
    with windows.open(f"{gateway.base_url}/o/acme/", context=context) as page:
        expect(page.get_by_role("heading", level=1)).to_have_text("Not found")
    context.close()


def _left(gateway: Gateway, token: str) -> int:
    """How many requests the organization may still make now."""
    headers = {"Authorization": f"Bearer {token}"}
    answer = httpx.get(f"{gateway.base_url}/v1/limits", headers=headers, timeout=30, trust_env=False)
    return int(answer.json()["rates"][0]["remaining"])


def _chat(gateway: Gateway, token: str) -> str:
    """A call with the person's own token, which makes the persona propose a memory. Returns its request id."""
    message: dict[str, Any] = {"role": "user", "content": "Remember that I take my tea without milk."}
    body = {"model": "ikiro/sandbox", "persona_id": "brand-default", "subject_id": "ada", "messages": [message]}
    headers = {"Authorization": f"Bearer {token}"}
    answer = httpx.post(f"{gateway.base_url}/v1/chat", json=body, headers=headers, timeout=30, trust_env=False)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["request_id"])
