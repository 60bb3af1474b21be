"""Every page of an organization, from the URL table, in both themes and widths: no rule of axe broken, nothing that
the policy drops, nothing in the browser's log."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.windows import Windows
from tests.console.places import Firm, Place, firm, furnished, places, session_of
from tests.factories.organizations import committed_database
from tests.harness import Gateway

__all__ = ["committed_database"]
STREAMS = frozenset({"live", "playground-stream"})
SLOW = 15_000  # milliseconds, for a busy machine
# The pages of an account and of sign-in are looked at in test_auth.py.
MINE = [one for one in places() if one.reads and ("org" in one.parameters or one.name.startswith("organization"))]
HALVES = {"first": MINE[::2], "second": MINE[1::2]}


@pytest.fixture(scope="module")
def acme(gateway: Gateway, committed_database: None) -> Firm:
    return furnished(gateway, "acme")


@pytest.fixture(scope="module")
def session_token(acme: Firm) -> str:
    return session_of(acme.owner)


@pytest.fixture(scope="module")
def small(gateway: Gateway, committed_database: None) -> tuple[Firm, str]:
    """On the plan that people begin with, with nothing in it yet."""
    made = firm(gateway, "globex", plan="free")
    made.things = {"org": made.slug}
    return made, session_of(made.owner)


def _visit(page: Page, windows: Windows, base: str, wanted: list[Place], firm: Firm, prefix: str = "") -> list[str]:
    """Look at each; returns the names of those that were pages and not the way to another."""
    seen = []
    for place in wanted:
        if place.name not in STREAMS:
            page.goto(base + place.path(firm.things))
            if page.url == base + place.path(firm.things):
                windows.look(page, f"{prefix}{place.name}")
                seen.append(place.name)
    return seen


@pytest.mark.parametrize("half", list(HALVES))
def test_pages__of_an_organization__break_no_rule_in_any_look(
    half: str, windows: Windows, acme: Firm, session_token: str
) -> None:
    base = acme.gateway.base_url
    with windows.open(f"{base}/o/{acme.slug}/", signed_in=session_token) as page:
        seen = _visit(page, windows, base, HALVES[half], acme)
    missing = {one.name for one in HALVES[half]} - set(seen)
    assert missing <= STREAMS | {"organization-progress", "organization-retry"}


def test_pages__of_a_new_organization__break_no_rule_in_any_look(windows: Windows, small: tuple[Firm, str]) -> None:
    """Empty lists, and what the plan does not include."""
    globex, token = small
    base = globex.gateway.base_url
    empty = [one for one in MINE if one.name in {"start", "keys", "sso"}]
    with windows.open(f"{base}/o/{globex.slug}/sso", signed_in=token) as page:
        expect(page.get_by_role("heading", name="Single sign-on comes with the Business plan")).to_be_visible()
        assert len(_visit(page, windows, base, empty, globex, "new-")) == 3


def test_states__of_pages__break_no_rule_in_any_look(windows: Windows, acme: Firm, session_token: str) -> None:
    """A refused form, a secret, the calls of a page, the palette."""
    base = f"{acme.gateway.base_url}/o/{acme.slug}"
    with windows.open(f"{base}/keys/new", signed_in=session_token) as page:
        page.get_by_label("Name", exact=True).fill("web-prod")
        page.get_by_label("Only what is ticked").check()
        page.get_by_role("button", name="Create key").click()
        expect(page.get_by_role("alert").first).to_be_focused(timeout=SLOW)
        windows.look(page, "state-422")
        page.get_by_label("Everything a key can").check()
        page.get_by_role("button", name="Create key").click()
        expect(page.get_by_role("heading", name="Copy the secret of web-prod")).to_be_focused(timeout=SLOW)
        windows.look(page, "state-secret")
        page.get_by_label("I stored it").check()
        page.set_viewport_size({"width": 1360, "height": 900})
        page.get_by_role("button", name="API").click()
        page.get_by_role("dialog", name="This page is these calls").wait_for()
        windows.look(page, "state-api")
        page.keyboard.press("Escape")
        page.set_viewport_size({"width": 1360, "height": 900})
        page.keyboard.press("Control+k")
        expect(page.get_by_role("option", selected=True)).to_be_visible(timeout=SLOW)
        windows.look(page, "state-palette")
