"""From nothing to the first answer: sign up, watch the organization being made, a key, a call that fails, one that
works, and the playground. With scripts, and without."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.accounts.support import PASSWORD, Accounts
from tests.browser.windows import Windows
from tests.harness import Gateway

SLOW = 20_000  # milliseconds, for a busy machine
# Three seconds are promised.
SOON = 6_000
BODY: dict[str, Any] = {
    "model": "ikiro/sandbox", "persona_id": "brand-default", "subject_id": "usr_123",
    "messages": [{"role": "user", "content": "When is my quiz?"}],
}  # fmt: skip


@pytest.fixture(scope="module")
def accounts(gateway: Gateway) -> Iterator[Accounts]:
    with Accounts(gateway.base_url, Path(gateway.env["IKIRO_MAIL_DIR"])) as running:
        yield running


def _call(gateway: Gateway, authorization: str) -> httpx.Response:
    """As a developer's own program makes it."""
    headers = {"authorization": authorization}
    return httpx.post(f"{gateway.base_url}/v1/chat", json=BODY, headers=headers, timeout=30, trust_env=False)


def _sign_up(page: Page, accounts: Accounts, name: str) -> None:
    """To the page that waits for the code, and with the code onwards."""
    email = f"owner-{secrets.token_hex(6)}@acme.example"
    page.get_by_label("Work e-mail").fill(email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Organization").fill(name)
    page.get_by_role("button", name="Create account").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Confirm your address", timeout=SLOW)
    page.get_by_label("Code").fill(accounts.person(email).code())


def _key_of(page: Page) -> str:
    shown = page.get_by_role("textbox", name="The secret").inner_text()
    assert re.fullmatch(r"ik_test_\w+", shown)
    assert f"Bearer {shown}" in page.locator("pre").first.inner_text()
    return shown


def test_first_answer__with_scripts__arrives_by_itself(windows: Windows, gateway: Gateway, accounts: Accounts) -> None:
    name = f"Harbour {secrets.token_hex(4)}"
    with windows.open(f"{gateway.base_url}/signup") as page:
        _sign_up(page, accounts, name)
        page.wait_for_url(re.compile(r"^[^?]+/o/harbour-\w+/start$"), timeout=SLOW)
        start = page.url
        expect(page.get_by_text("Listening for your first request")).to_be_visible()
        windows.picture(page, "first-1-listening")
        page.get_by_role("button", name="Create my first key").click()
        page.get_by_role("heading", name="Your first key: copy it now").wait_for(timeout=SLOW)
        key = _key_of(page)
        windows.picture(page, "first-2-key")
        _refused_call_shows(page, gateway, key)
        windows.picture(page, "first-3-refused")
        _answered_call_shows(page, gateway, key)
        windows.picture(page, "first-4-answered")
        page.get_by_label("I stored it").check()
        page.goto(start)
        assert key not in page.content()
        expect(page.get_by_role("status").filter(has_text="Your first answer")).to_be_visible()
        page.get_by_role("link", name="Open the playground").click()
        _streams(page, windows)


def _refused_call_shows(page: Page, gateway: Gateway, key: str) -> None:
    assert _call(gateway, key).status_code == 401  # the word Bearer is missing
    began = time.monotonic()
    box = page.get_by_role("alert").filter(has_text="A call arrived and was refused: 401")
    expect(box).to_contain_text("Send exactly this header: Authorization: Bearer", timeout=SOON)
    assert time.monotonic() - began < SOON / 1000


def _answered_call_shows(page: Page, gateway: Gateway, key: str) -> None:
    answer = _call(gateway, f"Bearer {key}")
    assert answer.status_code == 200, answer.text
    box = page.get_by_role("status").filter(has_text="Your first answer")
    expect(box).to_contain_text(answer.json()["request_id"], timeout=SOON)
    expect(box).to_contain_text("after signing up")
    expect(page.get_by_text("A call arrived and was refused")).to_have_count(0)


def _streams(page: Page, windows: Windows) -> None:
    """Word by word: the first is there long before the last."""
    page.get_by_label("Model", exact=True).fill("openai/fake:normal,chunks=40,pace_ms=80")
    page.get_by_role("textbox", name="Message").fill("Count, please.")
    page.get_by_role("button", name="Run").click()
    pane = page.get_by_role("article", name="Answer A")
    expect(pane).to_contain_text("w2", timeout=SLOW)
    assert "w39" not in pane.inner_text()
    expect(pane).to_contain_text("running")
    windows.picture(page, "first-5-streaming")
    expect(pane).to_contain_text("w39", timeout=SLOW)
    expect(pane).to_contain_text("done")
    expect(page.get_by_role("textbox", name="Message")).to_have_value("")
    windows.look(page, "first-6-answer")


def test_first_answer__without_scripts__is_there_after_a_look(
    windows: Windows, gateway: Gateway, accounts: Accounts
) -> None:
    with windows.open(f"{gateway.base_url}/signup", js=False, width=390) as page:
        _sign_up(page, accounts, f"Pier {secrets.token_hex(4)}")
        page.get_by_role("button", name="Confirm").click()
        page.wait_for_url(re.compile(r"^[^?]+/o/pier-\w+/start$"), timeout=SLOW)
        start = page.url
        page.get_by_role("button", name="Create my first key").click()
        page.get_by_role("heading", name="Your first key: copy it now").wait_for(timeout=SLOW)
        key = _key_of(page)
        page.wait_for_timeout(1_000)  # a misplaced key is recognised once the worker has heard of it (250 ms)
        assert _call(gateway, key).status_code == 401
        _look_until(page, "A call arrived and was refused: 401")
        assert "Send exactly this header" in page.content()
        assert _call(gateway, f"Bearer {key}").status_code == 200
        _look_until(page, "Your first answer")
        assert page.url.rstrip("?") == start.rstrip("?"), page.url
        assert key not in page.content()
        page.get_by_role("link", name="Open the playground").click()
        page.get_by_role("textbox", name="Message").fill("When is my quiz?")
        page.get_by_role("button", name="Run").click()
        expect(page.get_by_role("article", name="Answer A")).to_contain_text("done", timeout=SLOW)


def _look_until(page: Page, text: str) -> None:
    """Without scripts the page is asked again by a link."""
    deadline = time.monotonic() + SLOW / 1000
    while True:
        page.get_by_role("link", name="Check now").click()
        if text in page.content():
            return
        assert time.monotonic() < deadline, text
