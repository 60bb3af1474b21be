"""The frame around an organization's pages: with a mouse, with keys only, and without scripts."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_kit import LOOKS
from tests.browser.windows import Windows
from tests.console.scripted import Scripted, problem

ROW: dict[str, Any] = {
    "request_id": "req_01k0aaaaaaaaaaaaaaaaaaaaaa", "status": 200, "model": "openai/gpt-5-mini",
    "latency_ms": 812, "charged_micros": 4100, "occurred_at": "2026-01-01T00:00:00Z",
}  # fmt: skip
PENDING = {"type": "memory.upsert", "subject_id": "usr_9", "created_at": "2026-01-01T00:00:00Z"}


@pytest.fixture
def busy(scripted: Scripted) -> Scripted:
    rows = [ROW, {**ROW, "status": 429, "charged_micros": 0, "latency_ms": 3}, {**ROW, "status": 503}]
    scripted.on("GET", "/v1/requests", (200, {"data": rows, "next_cursor": None}))
    scripted.on("GET", "/v1/proposals", (200, {"data": [PENDING], "next_cursor": None}))
    return scripted


@pytest.mark.parametrize(("theme", "width"), LOOKS)
def test_overview__in_each_look__breaks_no_rule(
    theme: str, width: int, windows: Windows, console_url: str, busy: Scripted
) -> None:
    url = f"{console_url}/o/acme/"
    with windows.open(url, theme=theme, width=width, signed_in="session-acme") as page:
        windows.check(page, f"overview-{theme}-{width}")


def test_overview__empty__breaks_no_rule(windows: Windows, console_url: str) -> None:
    with windows.open(f"{console_url}/o/acme/", signed_in="session-acme") as page:
        windows.check(page, "overview-empty")


def test_error__of_a_card_and_of_a_page__breaks_no_rule(windows: Windows, console_url: str, busy: Scripted) -> None:
    busy.on("GET", "/v1/limits", problem(503, "store_away"))
    with windows.open(f"{console_url}/o/acme/", signed_in="session-acme") as page:
        windows.check(page, "overview-card-failed")
    with windows.open(f"{console_url}/o/globex/", signed_in="session-acme") as page:
        expect(page.get_by_role("heading", level=1)).to_have_text("Not found")
        windows.check(page, "not-found")


def test_live__new_data__appears_without_a_reload(windows: Windows, console_url: str, busy: Scripted) -> None:
    with windows.open(f"{console_url}/o/acme/", signed_in="session-acme") as page:
        expect(page.locator("[data-live-dot]")).to_have_class(re.compile("is-on"))
        busy.on("GET", "/v1/proposals", (200, {"data": [PENDING] * 3, "next_cursor": None}))
        expect(page.locator("#needs strong")).to_have_text("3", timeout=8000)


def test_keys__alone__open_everything(windows: Windows, console_url: str, busy: Scripted) -> None:
    with windows.open(f"{console_url}/o/acme/", signed_in="session-acme") as page:
        page.keyboard.press(".")
        drawer = page.get_by_role("dialog", name="This page is these calls")
        drawer.wait_for()
        assert "/v1/limits" in drawer.inner_text()
        windows.check(page, "api-drawer")
        _close(page)
        page.keyboard.press("?")
        page.get_by_role("dialog", name="Shortcuts").wait_for()
        windows.check(page, "shortcuts")
        _close(page)
        page.keyboard.press("t")
        assert page.locator("html").get_attribute("data-theme") == "auto"
        page.keyboard.press("Control+k")
        page.get_by_role("combobox").wait_for()
        page.keyboard.type("over")
        expect(page.get_by_role("option", selected=True)).to_contain_text("Overview")
        windows.check(page, "palette")
        with page.expect_navigation(url="**/o/acme/"):  # it is there already: only the page's coming anew tells
            page.keyboard.press("Enter")


def test_keys__while_typing_or_switched_off__do_nothing(windows: Windows, console_url: str, busy: Scripted) -> None:
    with windows.open(f"{console_url}/o/acme/", signed_in="session-acme") as page:
        page.keyboard.press("Control+k")
        page.get_by_role("combobox").press_sequentially("?.t")
        assert page.get_by_role("combobox").input_value() == "?.t"
        _close(page)
        expect(page.get_by_role("dialog")).to_have_count(0)
        page.keyboard.press("?")
        expect(page.get_by_role("dialog")).to_be_visible()
        page.get_by_role("button", name="Switch single keys off").click()
        page.wait_for_load_state()
        page.keyboard.press("?")
        page.keyboard.press(".")
        assert page.get_by_role("dialog").count() == 0


def test_menu__on_a_narrow_screen__opens_and_closes(windows: Windows, console_url: str, busy: Scripted) -> None:
    with windows.open(f"{console_url}/o/acme/", width=390, signed_in="session-acme") as page:
        nav = page.get_by_role("navigation", name="Pages")
        expect(nav).to_be_hidden()
        page.get_by_role("button", name="Menu").click()
        expect(nav).to_be_visible()
        windows.check(page, "menu-390")
        page.keyboard.press("Escape")
        expect(nav).to_be_hidden()


def test_shell__without_scripts__switches_theme_and_shows_the_calls(
    windows: Windows, console_url: str, busy: Scripted
) -> None:
    with windows.open(f"{console_url}/o/acme/", js=False, signed_in="session-acme") as page:
        page.get_by_role("button", name="Theme: light").click()
        page.wait_for_load_state()
        assert page.locator("html").get_attribute("data-theme") == "auto"
        page.get_by_role("button", name="API").click()
        page.get_by_role("dialog", name="This page is these calls").wait_for()
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Organization").click()
        page.get_by_role("link", name="Create organization").wait_for()


def test_session__ended__leads_to_sign_in(windows: Windows, console_url: str, busy: Scripted) -> None:
    with windows.open(f"{console_url}/o/acme/", signed_in="session-nobody") as page:
        assert page.url.startswith(f"{console_url}/login?next=/o/acme/")
        assert page.context.cookies()[0]["name"] != "ikiro_session"


def test_live__hidden_for_long__lets_go_and_comes_back(windows: Windows, console_url: str, busy: Scripted) -> None:
    with windows.open(f"{console_url}/o/acme/", signed_in="session-acme") as page:
        dot = page.locator("[data-live-dot]")
        expect(dot).to_have_class(re.compile("is-on"))
        page.clock.install()
        _hide(page, "true")
        page.clock.fast_forward(21_000)
        expect(dot).not_to_have_class(re.compile("is-on"))
        _hide(page, "false")
        expect(dot).to_have_class(re.compile("is-on"))
        busy.on("GET", "/v1/proposals", (200, {"data": [PENDING] * 2, "next_cursor": None}))
        expect(page.locator("#needs strong")).to_have_text("2", timeout=8000)


def _close(page: Page) -> None:
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def _hide(page: Page, hidden: str) -> None:
    page.evaluate(f"void Object.defineProperty(document, 'hidden', {{value: {hidden}, configurable: true}})")
    page.evaluate("void document.dispatchEvent(new Event('visibilitychange'))")
