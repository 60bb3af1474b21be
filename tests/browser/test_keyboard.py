"""Without a mouse: sign in, make a key, ask in the playground. The focus is always seen, and comes back."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.windows import Windows
from tests.console.places import Firm, firm
from tests.factories.organizations import committed_database
from tests.harness import Gateway

__all__ = ["committed_database"]
SLOW = 20_000  # milliseconds, for a busy machine
_SEEN = """() => {
  const style = getComputedStyle(document.activeElement)
  return (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0) || style.boxShadow !== "none"
}"""


@pytest.fixture(scope="module")
def acme(gateway: Gateway, committed_database: None) -> Firm:
    return firm(gateway, "acme")


def _tab_to(page: Page, wanted: Locator) -> None:
    """With the Tab key alone; wherever it stops on the way can be seen."""
    wanted.wait_for(timeout=SLOW)
    for _ in range(60):
        page.keyboard.press("Tab")
        assert page.evaluate(_SEEN), page.evaluate("document.activeElement.outerHTML.slice(0, 200)")
        if wanted.evaluate("one => one === document.activeElement"):
            return
    raise AssertionError(f"Tab never comes to {wanted}")


def test_keyboard__alone__signs_in_makes_a_key_and_asks(windows: Windows, gateway: Gateway, acme: Firm) -> None:
    with windows.open(f"{gateway.base_url}/login") as page:
        _tab_to(page, page.get_by_role("textbox", name="E-mail", exact=True).first)
        page.keyboard.type(acme.owner.email)
        _tab_to(page, page.get_by_label("Password", exact=True))
        page.keyboard.type(acme.owner.password)
        page.keyboard.press("Enter")
        page.wait_for_url(f"**/o/{acme.slug}/", timeout=SLOW)
        _dialogs_give_the_focus_back(page)
        page.keyboard.press("g")
        page.keyboard.press("k")
        page.wait_for_url("**/keys", timeout=SLOW)
        page.keyboard.press("c")
        page.wait_for_url("**/keys/new", timeout=SLOW)
        expect(page.get_by_label("Name", exact=True)).to_be_focused()
        page.keyboard.type("by hand")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Copy the secret of by hand")).to_be_focused(timeout=SLOW)
        _tab_to(page, page.get_by_role("checkbox", name="I stored it", exact=True).first)
        page.keyboard.press("Space")
        _tab_to(page, page.get_by_role("link", name="Done", exact=True).first)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("by hand", timeout=SLOW)
        page.keyboard.press("g")
        page.keyboard.press("p")
        page.wait_for_url("**/playground", timeout=SLOW)
        _tab_to(page, page.get_by_role("textbox", name="Message", exact=True).first)
        page.keyboard.type("When is my quiz?")
        _tab_to(page, page.get_by_role("button", name="Run", exact=True).first)
        page.keyboard.press("Enter")
        expect(page.get_by_role("article", name="Answer A")).to_contain_text("done", timeout=SLOW)
        expect(page.get_by_role("button", name="Run")).to_be_focused()


def _dialogs_give_the_focus_back(page: Page) -> None:
    _tab_to(page, page.get_by_role("button", name="API").first)
    page.keyboard.press("Enter")
    drawer = page.get_by_role("dialog", name="This page is these calls")
    drawer.wait_for(timeout=SLOW)
    assert drawer.evaluate("one => one.contains(document.activeElement)")
    page.keyboard.press("Escape")
    drawer.wait_for(state="hidden")
    expect(page.get_by_role("button", name="API").first).to_be_focused()
    page.keyboard.press("Control+k")
    expect(page.get_by_role("combobox")).to_be_focused(timeout=SLOW)
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="API").first).to_be_focused()
