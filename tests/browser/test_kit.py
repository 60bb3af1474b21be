"""Every component in both themes and both widths: nothing that axe finds, nothing that the policy drops."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.windows import Windows

LOOKS = [("light", 1360), ("dark", 1360), ("light", 390), ("dark", 390)]


@pytest.mark.parametrize(("theme", "width"), LOOKS)
def test_kit__in_each_look__breaks_no_rule(theme: str, width: int, windows: Windows, console_url: str) -> None:
    with windows.open(f"{console_url}/_kit", theme=theme, width=width) as page:
        windows.check(page, f"kit-{theme}-{width}")


@pytest.mark.parametrize(("theme", "width"), LOOKS)
def test_landing__in_each_look__breaks_no_rule(theme: str, width: int, windows: Windows, console_url: str) -> None:
    with windows.open(f"{console_url}/", theme=theme, width=width) as page:
        windows.check(page, f"landing-{theme}-{width}")


def test_kit__dialog_open__breaks_no_rule_and_gives_the_focus_back(windows: Windows, console_url: str) -> None:
    with windows.open(f"{console_url}/_kit") as page:
        opener = page.get_by_role("button", name="Open dialog")
        opener.press("Enter")
        dialog = page.get_by_role("dialog", name="Revoke ci-old")
        dialog.wait_for()
        windows.check(page, "kit-dialog")
        page.keyboard.press("Escape")
        dialog.wait_for(state="hidden")
        assert opener.evaluate("one => one === document.activeElement")


def test_kit__without_scripts__dialogs_and_menus_still_open(windows: Windows, console_url: str) -> None:
    with windows.open(f"{console_url}/_kit", js=False) as page:
        page.get_by_role("button", name="More").click()
        page.get_by_role("link", name="Rotate").wait_for()
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Open dialog").click()
        page.get_by_role("dialog", name="Revoke ci-old").wait_for()


def test_copy__allowed__says_copied(windows: Windows, console_url: str) -> None:
    context = windows.context()
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=console_url)
    with windows.open(f"{console_url}/_kit", context=context) as page:
        page.get_by_role("button", name="Copy request id").first.click()
        page.get_by_role("button", name="Copied").wait_for()
        assert page.evaluate("navigator.clipboard.readText()") == "req_01example"
        expect(page.locator("#say")).to_have_text("Copied")
    context.close()


def test_copy__refused__says_so(windows: Windows, console_url: str) -> None:
    with windows.open(f"{console_url}/_kit") as page:
        page.evaluate("void (navigator.clipboard.writeText = () => Promise.reject(new Error('no')))")
        page.evaluate("void (document.execCommand = () => false)")
        page.get_by_role("button", name="Copy request id").first.click()
        page.get_by_role("button", name="Select and copy by hand").wait_for()


def test_secret__not_stored__asks_before_leaving(windows: Windows, console_url: str) -> None:
    with windows.open(f"{console_url}/_kit") as page:
        asked: list[str] = []
        page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
        page.get_by_label("I stored it").focus()
        page.keyboard.press("Tab")
        page.reload()
        assert asked == ["beforeunload"]
        page.get_by_label("I stored it").check()
        page.reload()
        assert asked == ["beforeunload"]


def test_language__chosen_once__is_chosen_everywhere_and_remembered(windows: Windows, console_url: str) -> None:
    with windows.open(f"{console_url}/_kit") as page:
        code = page.locator("main [data-code]").first
        code.get_by_role("link", name="python").click()
        assert "import httpx" in code.inner_text()
        page.get_by_label("I stored it").check()
        page.reload()
        assert "import httpx" in page.locator("main [data-code]").first.inner_text()
