"""Sign-in and account pages in Chromium, in front of the whole product."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from console import session
from console.sealing import seal
from tests.accounts.support import PASSWORD, Accounts, Person, totp
from tests.browser.test_kit import LOOKS
from tests.browser.windows import Windows
from tests.harness import Gateway

SLOW = 15_000  # milliseconds, for a busy machine


@dataclass(frozen=True)
class People:
    """Everybody that the pages are looked at with; made once."""

    waiting: Person  # signed up, has not proved the address
    protected: Person  # signed in, proved it just now, has an authenticator app
    halfway: Person  # the same one elsewhere, before the second factor
    fresh: Person  # proved it just now, has no second factor
    plain: Person  # signed in a while ago
    reset_key: str


@pytest.fixture(scope="module")
def accounts(gateway: Gateway) -> Iterator[Accounts]:
    with Accounts(gateway.base_url, Path(gateway.env["IKIRO_MAIL_DIR"])) as running:
        yield running


@pytest.fixture(scope="module")
def people(accounts: Accounts) -> People:
    waiting, protected, fresh, plain = accounts.person(), accounts.member(), accounts.member(), accounts.member()
    waiting.sign_up()
    protected.elsewhere().sign_in()
    protect(protected)
    halfway = protected.elsewhere()
    halfway.sign_in()
    fresh.reauthenticate()
    fresh.post("auth/password/request", email=fresh.email)
    return People(waiting, protected, halfway, fresh, plain, fresh.link_key("Choose a new Ikiro password"))


def protect(person: Person) -> str:
    """Give them an authenticator app; its secret. The present code stays unused."""
    person.reauthenticate()
    secret: str = person.get("account/authenticators/totp").json()["meta"]["secret"]
    assert person.post("account/authenticators/totp", code=totp(secret, step=-1)).status_code == 200
    return secret


def become(context: BrowserContext, base: str, person: Person, *, signed_in: bool = True) -> None:
    """Give the browser this person's session, complete or halfway."""
    sealed = seal([person.token, signed_in, {"email": person.email}], "session")
    context.add_cookies([{"name": session.COOKIE, "value": sealed, "url": base}])


def looked_at(page: Page, windows: Windows, name: str) -> None:
    """In both themes and both widths, without loading it four times."""
    page.emulate_media(reduced_motion="reduce")
    for theme, width in LOOKS:
        page.set_viewport_size({"width": width, "height": 900})
        page.evaluate("theme => void (document.documentElement.dataset.theme = theme)", theme)
        windows.check(page, f"auth-{name}-{theme}-{width}")


def test_signed_out_pages__in_each_look__break_no_rule(windows: Windows, accounts: Accounts, people: People) -> None:
    context, base = windows.context(), accounts.base_url

    def look(path: str) -> None:
        page.goto(base + path)
        looked_at(page, windows, path.partition("?")[0][1:].replace("/", "-")[:20])

    with windows.open(f"{base}/login", context=context) as page:
        look("/signup?email=owner@acme.example")
        look("/login/sso?error=sso_failed")
        look("/password/forgot")
        look(f"/password/reset?key={people.reset_key}")
        look(f"/verify?key={people.waiting.link_key()}")
        look("/verify?key=none")
        look("/invite/" + "a" * 52)
        become(context, base, people.waiting, signed_in=False)
        look("/verify")
        become(context, base, people.halfway, signed_in=False)
        look("/login/mfa")
        look("/login/recovery")
        context.clear_cookies(name=session.COOKIE)
        page.goto(f"{base}/login")
        page.get_by_label("E-mail").fill("nobody@acme.example")
        page.get_by_label("Password", exact=True).fill("not the password")
        page.get_by_role("button", name="Sign in", exact=True).click()
        expect(page.get_by_role("alert").first).to_be_focused(timeout=SLOW)
        looked_at(page, windows, "login-wrong")
    context.close()


def test_account_pages__in_each_look__break_no_rule(windows: Windows, accounts: Accounts, people: People) -> None:
    context, base = windows.context(), accounts.base_url
    for person in (people.protected, people.fresh):
        person.reauthenticate()  # the pages want a fresh proof
    become(context, base, people.protected)

    def look(path: str) -> None:
        page.goto(base + path)
        looked_at(page, windows, path[1:].replace("/", "-"))

    with windows.open(f"{base}/account/profile", context=context) as page:
        looked_at(page, windows, "account-profile")
        look("/account/security")
        look("/account/sessions")
        look("/account/shortcuts")
        look("/account/delete")
        look("/account/reauthenticate")
        look("/account/security/off")
        look("/account/security/passkeys/new")
        page.goto(f"{base}/account/security/recovery-codes")
        page.get_by_role("button", name="Make ten new codes").click()
        expect(page.get_by_role("heading", name="Keep these recovery codes")).to_be_focused(timeout=SLOW)
        looked_at(page, windows, "codes")
        page.get_by_label("I stored them").check()
        become(context, base, people.fresh)
        page.goto(f"{base}/account/security/totp")
        page.get_by_role("button", name="Show the QR code").click()
        expect(page.get_by_role("img", name="QR code")).to_be_visible(timeout=SLOW)
        looked_at(page, windows, "totp")
    context.close()


def test_sign_up__in_a_browser__suggests_the_organization_and_takes_the_code_by_itself(
    windows: Windows, accounts: Accounts
) -> None:
    name = f"tern-{secrets.token_hex(3)}"
    person = accounts.person(f"owner@{name}.example")
    with windows.open(f"{accounts.base_url}/signup") as page:
        page.get_by_label("Work e-mail").fill(person.email)
        page.keyboard.press("Tab")
        expect(page.get_by_label("Organization")).to_have_value(re.compile("Tern"), timeout=SLOW)
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Show password").click()
        expect(page.get_by_label("Password", exact=True)).to_have_attribute("type", "text")
        page.get_by_label("Password", exact=True).press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("Confirm your address", timeout=SLOW)
        page.get_by_label("Code").press_sequentially(person.code())
        page.wait_for_url(re.compile("/(organizations|o)/"), timeout=SLOW)


def test_sign_in__with_keys_only__wrong_then_right_and_a_second_factor(windows: Windows, accounts: Accounts) -> None:
    person = accounts.member()
    secret = protect(person)
    with windows.open(f"{accounts.base_url}/login?next=/account/sessions") as page:
        page.get_by_label("E-mail").focus()
        page.keyboard.type(person.email)
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        page.keyboard.type("not the password")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert").first).to_be_focused(timeout=SLOW)
        expect(page.get_by_label("E-mail")).to_have_value(person.email)
        expect(page.get_by_label("Password", exact=True)).to_have_value("")
        for _ in range(3):
            page.keyboard.press("Tab")
        page.keyboard.type(person.password)
        page.keyboard.press("Enter")
        expect(page.get_by_label("Six digits")).to_be_focused(timeout=SLOW)
        page.keyboard.type(totp(secret))
        expect(page.get_by_role("heading", level=1)).to_have_text("Sessions", timeout=SLOW)


def test_passkey__added_and_used__signs_in_without_a_password(windows: Windows, accounts: Accounts) -> None:
    base, person = accounts.base_url.replace("127.0.0.1", "localhost"), accounts.member()
    person.reauthenticate()
    context = windows.context()
    become(context, base, person)
    with windows.open(f"{base}/account/security/passkeys/new", context=context) as page:
        device = context.new_cdp_session(page)
        device.send("WebAuthn.enable")
        options: dict[str, Any] = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True}
        options |= {"hasUserVerification": True, "isUserVerified": True, "automaticPresenceSimulation": True}
        device.send("WebAuthn.addVirtualAuthenticator", {"options": options})
        page.get_by_label("Name").fill("Work laptop")
        page.get_by_role("button", name="Add passkey").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("The passkey Work laptop is added.", timeout=SLOW)
        page.get_by_label("I stored them").check()
        page.get_by_role("link", name="Done").click()
        expect(page.get_by_role("link", name="Change Work laptop")).to_be_visible(timeout=SLOW)
        context.clear_cookies(name=session.COOKIE)
        page.goto(f"{base}/login?next=/account/security")
        page.get_by_role("button", name="Sign in with a passkey").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Security", timeout=SLOW)
        page.goto(f"{base}/account/reauthenticate?next=/account/sessions")
        page.get_by_role("button", name="Use a passkey").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Sessions", timeout=SLOW)
    context.close()


def test_essentials__without_scripts__all_work(windows: Windows, accounts: Accounts) -> None:
    person = accounts.person()
    with windows.open(f"{accounts.base_url}/signup", js=False) as page:
        page.get_by_label("Work e-mail").fill(person.email)
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Create account").click()
        page.get_by_label("Code").fill(person.code())
        page.get_by_role("button", name="Confirm").click()
        page.goto(f"{accounts.base_url}/account/security/totp")
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Confirm").click()
        page.get_by_role("button", name="Show the QR code").click()
        secret = page.locator("[data-copy]").first.get_attribute("data-copy") or ""
        page.get_by_label("Enter the six digits").fill(totp(secret, step=-1))
        page.get_by_role("button", name="Switch on").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("The authenticator app is set up.", timeout=SLOW)
        with page.expect_download() as download:
            page.get_by_role("button", name="Download .txt").click()
        codes = Path(download.value.path()).read_text().split()[-10:]
        assert codes == page.locator("#codes code").all_inner_texts()
        page.get_by_role("button", name="Account:").click()
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_text("You are signed out.")).to_be_visible(timeout=SLOW)
        assert page.get_by_role("button", name="Sign in with a passkey").count() == 0
        page.get_by_label("E-mail").fill(person.email)
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Sign in", exact=True).click()
        page.get_by_label("Six digits").fill(totp(secret))
        page.get_by_role("button", name="Continue").click()
        page.goto(f"{accounts.base_url}/account/sessions")
        expect(page.get_by_role("heading", level=1)).to_have_text("Sessions")
