"""A key's page in the states that its life brings, and its form: no rule of axe broken, in both themes and widths."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.windows import Windows
from tests.console.organization.test_keys import COULD, KEY
from tests.console.scripted import Scripted

SLOW = 15_000  # milliseconds, for a busy machine
UNTIL = "2999-01-01T00:00:00Z"
SEEN = "2026-11-22T10:00:09Z"
LIMITED = {
    **KEY, "models": ["best", "openai/*"], "origins": ["https://app.example"], "ip_ranges": ["203.0.113.0/24"],
    "rate": {"limit": 600, "window_s": 60}, "budget": {"limit_micros": 25_000_000, "window": "month", "hard": True},
}  # fmt: skip


def _ready(scripted: Scripted, key: dict) -> None:
    actions = dict.fromkeys(("keys.list", "keys.create", "keys.rotate", "keys.revoke"), True)
    allowed = {"role": "owner", "scopes": ["chat", "tokens:write"], "actions": actions, "why": {}}
    scripted.on("GET", "/v1/me/permissions", (200, allowed))
    scripted.on("GET", "/v1/keys/key_1", (200, key))
    caller = {"network": "203.0.113.0/24", "user_agent": "billing-cron/1.2", "calls": 1200, "last_used_at": SEEN}
    uses = {"old_secret_valid_until": UNTIL, "last_used_at": SEEN, "calls_24h": 1200, "callers": [caller]}
    scripted.on("GET", "/v1/keys/key_1/old-secret-uses", (200, uses))
    worker = {"id": "web-5c1f09aa", "obeys": True, "obeyed_at": SEEN, "ms": 210, "seen_at": SEEN}
    silent = {**worker, "id": "web-77aa01bc", "obeys": False, "obeyed_at": None, "ms": None}
    proof = {"revoked_at": SEEN, "version": 7, "obeyed_by_all": False, "workers": [worker, silent]}
    scripted.on("GET", "/v1/keys/key_1/revocation", (200, proof))
    for path in ("/v1/keys/preview", "/v1/keys/key_1/preview"):
        scripted.on("POST", path, (200, COULD))


def test_key__in_each_state__breaks_no_rule_in_any_look(windows: Windows, console_url: str, scripted: Scripted) -> None:
    _ready(scripted, {**LIMITED, "state": "rotating", "old_secret_valid_until": UNTIL})
    with windows.open(f"{console_url}/o/acme/keys/key_1", signed_in="session-acme") as page:
        expect(page.get_by_role("heading", name="Who still uses the old secret")).to_be_visible(timeout=SLOW)
        windows.look(page, "key-rotating")
        _ready(scripted, {**LIMITED, "state": "revoked", "revoked_at": SEEN})
        page.reload()
        expect(page.get_by_role("heading", name="Who obeys the revocation")).to_be_visible(timeout=SLOW)
        windows.look(page, "key-revoked")


def test_key_form__asked_what_it_could_call__shows_it_under_what_was_typed(
    windows: Windows, console_url: str, scripted: Scripted
) -> None:
    _ready(scripted, LIMITED)
    with windows.open(f"{console_url}/o/acme/keys/new", signed_in="session-acme") as page:
        page.get_by_label("Name", exact=True).fill("web-prod")
        page.get_by_role("button", name="What could it call?").click()
        expect(page.get_by_role("heading", name="What this key could call")).to_be_visible(timeout=SLOW)
        expect(page.get_by_label("Name", exact=True)).to_have_value("web-prod")
        windows.look(page, "key-could")
        page.goto(f"{console_url}/o/acme/keys/key_1/edit")
        expect(page.get_by_label("Models")).to_have_value("best, openai/*")
        windows.look(page, "key-edit")
