"""Single sign-on set up, tested in another tab and enforced, with a real provider at the other end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.windows import Windows
from tests.factories.organizations import committed_database
from tests.factories.people import sign_in
from tests.harness import Gateway
from tests.sso import openid
from tests.sso.openid import CLIENT_ID, CLIENT_SECRET, OpenIdProvider
from tests.sso.support import Company, company

__all__ = ["committed_database"]
SLOW = 20_000  # milliseconds, for a busy machine


@pytest.fixture(scope="module")
def acme(gateway: Gateway, committed_database: None) -> tuple[Company, str]:
    """With a proved domain, and its owner signed in."""
    made = company(gateway, "acme")
    return made, sign_in(made.owner)


@pytest.fixture(scope="module")
def provider() -> Iterator[OpenIdProvider]:
    with openid.serving() as running:
        yield running


def test_sso__set_up_and_tested_in_another_tab__can_be_enforced(
    windows: Windows, acme: tuple[Company, str], provider: OpenIdProvider
) -> None:
    made, token = acme
    provider.is_person(made.address("tester"))
    with windows.open(f"{made.gateway.base_url}/o/{made.slug}/sso", signed_in=token) as page:
        page.get_by_label("Issuer").fill(provider.url)
        page.get_by_label("Client id").fill(CLIENT_ID)
        page.get_by_label("Client secret").fill(CLIENT_SECRET)
        page.get_by_role("button", name="Save configuration").click()
        expect(page.locator("#sso-state")).to_contain_text("Draft", timeout=SLOW)
        assert CLIENT_SECRET not in page.content()
        with page.expect_popup() as opened:
            page.get_by_role("button", name="Test in a new tab").click()
        tab = opened.value
        expect(tab.get_by_text("The test succeeded. You can close this tab")).to_be_visible(timeout=SLOW)
        assert tab.url.endswith(f"/o/{made.slug}/sso?tested=ok")
        tab.close()
        # The first tab hears of it by itself, with the state above.
        expect(page.locator("#test")).to_contain_text("The test succeeded", timeout=SLOW)
        expect(page.locator("#sso-state")).to_contain_text("Tested", timeout=SLOW)
        expect(page.locator("#sso-state")).to_have_count(1)
        windows.look(page, "sso-tested")
        page.get_by_role("link", name="Enforce…").click()
        page.get_by_label("They must have a second factor").uncheck()
        windows.look(page, "sso-enforce")
        page.get_by_role("button", name="Enforce single sign-on").click()
        expect(page.locator("#sso-state")).to_contain_text("Enforced", timeout=SLOW)
        windows.look(page, "sso-enforced")
        page.get_by_role("link", name="Switch off").click()
        page.get_by_role("button", name="Switch off").click()
        expect(page.locator("#sso-state")).to_contain_text("Switched off", timeout=SLOW)
