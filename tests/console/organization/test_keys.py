"""API keys in the console: filters in the address, the secret once, rotation and revocation that ask first."""

from __future__ import annotations

from typing import Any

import pytest

from tests.console.conftest import Browser
from tests.console.scripted import Scripted, problem

KEY: dict[str, Any] = {
    "id": "key_1", "name": "web-prod", "mode": "live", "prefix": "ik_live_abc", "persona_ids": None,
    "subject_ids": None, "memory_scopes": None, "scopes": ["chat"], "state": "active",
    "owner": {"id": "usr_acme", "email": "owner@acme.example"}, "expires_at": None, "revoked_at": None,
    "rotated_at": None, "old_secret_valid_until": None, "last_used_at": None,
    "created_at": "2026-11-20T10:00:00Z", "created_by": "user:usr_acme", "models": None, "origins": None,
    "ip_ranges": None, "rate": None, "budget": None, "on_disconnect": "cancel", "cache_s": None, "calls_24h": 1234,
    "old_secret_last_used_at": None,
}  # fmt: skip
COULD: dict[str, Any] = {
    "operations": [
        {"method": "POST", "path": "/v1/chat", "summary": "Speak", "allowed": True, "code": None, "why": None},
        {"method": "GET", "path": "/v1/audit", "summary": "", "allowed": False, "code": "scope_missing", "why": ""},
    ],
    "personas": [{"id": "iris", "allowed": True}, {"id": "secret-one", "allowed": False}],
    "models": [{"id": "openai/gpt-4o-mini", "allowed": True, "listed": False}],
    "limits": {
        "rate": None, "budget": {"limit_micros": 2_500_000, "window": "day", "hard": True}, "expires_at": None,
        "organization_rate": {"limit": 600, "window_s": 60}, "organization_calls_per_month": None,
    },
}  # fmt: skip
SECRET = "ik_live_abc_very_secret"
ALL = dict.fromkeys(("keys.list", "keys.create", "keys.rotate", "keys.revoke"), True)
LIMITED = {
    "name": "web-prod", "width": "some", "scopes": ["chat"], "expires": "keep", "models": "openai/*, best",
    "origins": "https://app.example", "ip_ranges": "10.0.0.0/8", "rate_limit": "1,200", "rate_window": "60",
    "budget": "$2.50", "budget_window": "day", "budget_hard": "1", "on_disconnect": "drain", "cache_s": "30",
}  # fmt: skip
NEW = {"name": "web-prod", "mode": "live", "width": "some", "scopes": ["chat"], "expires": ""}


@pytest.fixture
def gateway(scripted: Scripted) -> Scripted:
    scopes = ["chat", "members:write"]
    scripted.on("GET", "/v1/me/permissions", (200, {"role": "owner", "scopes": scopes, "actions": ALL, "why": {}}))
    scripted.on("GET", "/v1/keys", (200, {"data": [KEY], "next_cursor": "next"}))
    scripted.on("GET", "/v1/keys/key_1", (200, KEY))
    scripted.on("POST", "/v1/keys", (201, {**KEY, "secret": SECRET}))
    rotated = {"state": "rotating", "old_secret_valid_until": "2999-01-01T00:00:00Z", "secret": SECRET}
    scripted.on("POST", "/v1/keys/key_1/rotate", (200, {**KEY, **rotated}))
    scripted.on("DELETE", "/v1/keys/key_1", (200, {**KEY, "state": "revoked"}))
    scripted.on("PATCH", "/v1/keys/key_1", (200, KEY))
    for path in ("/v1/keys/preview", "/v1/keys/key_1/preview"):
        scripted.on("POST", path, (200, COULD))
    return scripted


def test_keys__filtered__asks_with_the_filter_and_keeps_it_for_the_next_page(
    browser: Browser, gateway: Scripted
) -> None:
    page = browser.sign_in("acme").get("/o/acme/keys", {"q": "web", "state": "active"}).content.decode()
    [asked] = gateway.asked("/v1/keys")
    assert (asked.slug, asked.query) == ("acme", {"limit": "50", "q": "web", "state": "active"})
    assert "web-prod" in page
    assert "q=web&amp;state=active&amp;cursor=next" in page or "q=web&state=active&cursor=next" in page
    part = browser.get("/o/acme/keys", {"q": "web"}, htmx="list").content.decode()
    assert part.strip().startswith('<div id="list">')


@pytest.mark.parametrize(("query", "headline"), [({}, "No keys yet"), ({"q": "x"}, "No key matches")])
def test_keys__none__says_why(query: dict[str, str], headline: str, browser: Browser, gateway: Scripted) -> None:
    gateway.on("GET", "/v1/keys", (200, {"data": [], "next_cursor": None}))
    assert headline in browser.sign_in("acme").get("/o/acme/keys", query).content.decode()


def test_new_key__created__shows_the_secret_in_this_answer_only(browser: Browser, gateway: Scripted) -> None:
    form = browser.sign_in("acme").get("/o/acme/keys/new").content.decode()
    assert "members:write" not in form
    answer = browser.post("/o/acme/keys/new", NEW)
    assert answer["Cache-Control"] == "no-store"
    page = answer.content.decode()
    assert "<code tabindex=" in page
    assert SECRET in page
    assert 'hx-history="false"' in page
    created = gateway.calls[-1] if gateway.calls[-1].method == "POST" else gateway.asked("/v1/keys")[-1]
    assert created.body == {"name": "web-prod", "mode": "live", "scopes": ["chat"]}
    assert "POST" in page
    assert "/v1/keys" in page
    for again in ("/o/acme/keys/new", "/o/acme/keys/key_1", "/o/acme/keys"):
        assert SECRET not in browser.get(again).content.decode()
    assert SECRET not in str(browser.session)


@pytest.mark.parametrize(
    ("wrong", "refusal", "message"),
    [
        ({"scopes": []}, None, "Tick what the key may do"),
        ({}, problem(409, "too_many_keys"), "Detail of too_many_keys."),
        ({}, problem(403, "key_too_wide", field="scopes"), "Detail of key_too_wide."),
    ],
)
def test_new_key__refused__says_why_and_keeps_what_was_typed(
    wrong: dict[str, Any], refusal: Any, message: str, browser: Browser, gateway: Scripted
) -> None:
    if refusal:
        gateway.on("POST", "/v1/keys", refusal)
    answer = browser.sign_in("acme").post("/o/acme/keys/new", {**NEW, **wrong})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert message in page
    assert 'value="web-prod"' in page
    assert SECRET not in page
    assert len([call for call in gateway.calls if call.method == "POST" and call.path == "/v1/keys"]) == bool(refusal)


def test_new_key__asked_what_it_could_call__shows_it_and_makes_nothing(browser: Browser, gateway: Scripted) -> None:
    answer = browser.sign_in("acme").post("/o/acme/keys/new", {**NEW, **LIMITED, "expires": "", "do": "preview"})
    page = answer.content.decode()
    assert answer.status_code == 200
    [asked] = gateway.asked("/v1/keys/preview")
    assert asked.body == {
        "name": "web-prod", "mode": "live", "scopes": ["chat"], "models": ["openai/*", "best"],
        "origins": ["https://app.example"], "ip_ranges": ["10.0.0.0/8"], "on_disconnect": "drain", "cache_s": 30,
        "rate": {"limit": 1200, "window_s": 60},
        "budget": {"limit_micros": 2_500_000, "window": "day", "hard": True},
    }  # fmt: skip
    for shown in ("POST /v1/chat", "scope_missing", "$2.50", "iris", 'value="$2.50"'):
        assert shown in page
    assert "secret-one" not in page
    assert gateway.asked("/v1/keys") == []


@pytest.mark.parametrize(
    ("field", "typed"),
    [("rate_limit", "many"), ("rate_limit", "0"), ("budget", "a lot"), ("budget", "-1"), ("cache_s", "1.5")],
)
def test_new_key__with_a_number_that_is_none__says_so_and_asks_nothing(
    field: str, typed: str, browser: Browser, gateway: Scripted
) -> None:
    answer = browser.sign_in("acme").post("/o/acme/keys/new", {**NEW, field: typed})
    assert answer.status_code == 422
    assert f'value="{typed}"' in answer.content.decode()
    assert gateway.asked("/v1/keys") == []


def test_edit__saved__sends_what_was_changed_and_nothing_else(browser: Browser, gateway: Scripted) -> None:
    limited = {
        **KEY, "models": ["best", "openai/*"], "subject_ids": ["a, b"], "persona_ids": [],
        "budget": {"limit_micros": 2_500_000, "window": "day", "hard": True}, "rate": {"limit": 5, "window_s": 1},
    }  # fmt: skip
    gateway.on("GET", "/v1/keys/key_1", (200, limited))
    form = browser.sign_in("acme").get("/o/acme/keys/key_1/edit").content.decode()
    for shown in ('value="best, openai/*"', 'value="2.5"', 'value="web-prod"', 'value="5"'):
        assert shown in form
    sent = {**LIMITED, "models": "best, openai/*", "subject_ids": "a, b", "budget": "2.5", "rate_limit": ""}
    done = browser.post("/o/acme/keys/key_1/edit", sent)
    assert (done.status_code, done["Location"]) == (303, "/o/acme/keys/key_1")
    [changed] = [call for call in gateway.calls if call.method == "PATCH"]
    assert changed.body == {
        "rate": None, "origins": ["https://app.example"], "ip_ranges": ["10.0.0.0/8"], "on_disconnect": "drain",
        "cache_s": 30,
    }  # fmt: skip
    gateway.on("PATCH", "/v1/keys/key_1", problem(403, "key_too_wide", field="models"))
    refused = browser.post("/o/acme/keys/key_1/edit", {**sent, "models": ""})
    assert (refused.status_code, "Detail of key_too_wide." in refused.content.decode()) == (422, True)


def test_key__rotating__shows_who_still_uses_the_old_secret_and_extends_it(browser: Browser, gateway: Scripted) -> None:
    until = "2999-01-01T00:00:00Z"
    gateway.on("GET", "/v1/keys/key_1", (200, {**KEY, "state": "rotating", "old_secret_valid_until": until}))
    caller = {"network": "203.0.113.0/24", "user_agent": "cron/1 <b>", "calls": 12, "last_used_at": until}
    uses = {"old_secret_valid_until": until, "last_used_at": until, "calls_24h": 12, "callers": [caller]}
    gateway.on("GET", "/v1/keys/key_1/old-secret-uses", (200, uses))
    page = browser.sign_in("acme").get("/o/acme/keys/key_1").content.decode()
    assert "203.0.113.0/24" in page
    assert "cron/1 &lt;b&gt;" in page
    gateway.on("POST", "/v1/keys/key_1/extend-grace", (200, KEY))
    done = browser.post("/o/acme/keys/key_1/extend-grace", {"grace": "604800"})
    assert (done.status_code, done["Location"]) == (303, "/o/acme/keys/key_1")
    assert [call.body for call in gateway.asked("/v1/keys/key_1/extend-grace")] == [{"grace_s": 604_800}]
    browser.post("/o/acme/keys/key_1/extend-grace", {"grace": "5"})
    assert len(gateway.asked("/v1/keys/key_1/extend-grace")) == 1


def test_key__revoked__shows_which_web_process_obeys(browser: Browser, gateway: Scripted) -> None:
    gateway.on("GET", "/v1/keys/key_1", (200, {**KEY, "state": "revoked", "revoked_at": "2026-11-22T10:00:00Z"}))
    worker = {
        "id": "web-5c1f",
        "obeys": True,
        "obeyed_at": "2026-11-22T10:00:00Z",
        "ms": 210,
        "seen_at": "2026-11-22T10:00:09Z",
    }
    silent = {**worker, "id": "web-0000", "obeys": False, "obeyed_at": None, "ms": None}
    proof = {"revoked_at": "2026-11-22T10:00:00Z", "version": 7, "obeyed_by_all": False, "workers": [worker, silent]}
    gateway.on("GET", "/v1/keys/key_1/revocation", (200, proof))
    page = browser.sign_in("acme").get("/o/acme/keys/key_1").content.decode()
    for shown in ("web-5c1f", "210 ms", "not heard of", "Not every web process"):
        assert shown in page
    assert "/edit" not in page


def test_key__its_tokens_and_its_preview__are_a_button_each(browser: Browser, gateway: Scripted) -> None:
    page = browser.sign_in("acme").get("/o/acme/keys/key_1").content.decode()
    assert "1,234" in page
    gateway.on("POST", "/v1/keys/key_1/revoke-tokens", (200, KEY))
    assert browser.post("/o/acme/keys/key_1/revoke-tokens").status_code == 303
    assert len(gateway.asked("/v1/keys/key_1/revoke-tokens")) == 1
    shown = browser.get("/o/acme/keys/key_1/preview").content.decode()
    assert "/v1/audit" in shown


def test_rotate__with_a_grace__shows_the_new_secret_and_when_the_old_one_ends(
    browser: Browser, gateway: Scripted
) -> None:
    answer = browser.sign_in("acme").post("/o/acme/keys/key_1/rotate", {"grace": "3600"})
    page = answer.content.decode()
    assert gateway.asked("/v1/keys/key_1/rotate")[0].body == {"grace_s": 3600, "force": False}
    assert SECRET in page
    assert "The old secret works until" in page
    gateway.on("POST", "/v1/keys/key_1/rotate", problem(409, "rotation_running"))
    refused = browser.post("/o/acme/keys/key_1/rotate", {"grace": "86400"})
    assert refused.status_code == 422
    assert "Detail of rotation_running." in refused.content.decode()


def test_revoke__without_the_name__revokes_nothing(browser: Browser, gateway: Scripted) -> None:
    refused = browser.sign_in("acme").post("/o/acme/keys/key_1/revoke", {"confirm": "web"})
    assert refused.status_code == 422
    assert [call for call in gateway.calls if call.method == "DELETE"] == []
    done = browser.post("/o/acme/keys/key_1/revoke", {"confirm": "web-prod"})
    assert (done.status_code, done["Location"]) == (303, "/o/acme/keys/key_1")
    assert [(call.path, call.slug) for call in gateway.calls if call.method == "DELETE"] == [("/v1/keys/key_1", "acme")]


def test_keys__of_another_organization__are_not_found(browser: Browser, gateway: Scripted) -> None:
    for path in ("keys", "keys/new", *(f"keys/key_1{end}" for end in ("", "/edit", "/preview", "/rotate", "/revoke"))):
        assert browser.sign_in("globex").get(f"/o/acme/{path}").status_code == 404
    assert browser.post("/o/acme/keys/key_1/revoke", {"confirm": "web-prod"}).status_code == 404
    assert gateway.asked("/v1/keys") == gateway.asked("/v1/keys/key_1") == []


def test_keys__for_a_viewer__may_be_seen_but_not_made(browser: Browser, gateway: Scripted) -> None:
    why = dict.fromkeys(("keys.create", "keys.rotate", "keys.revoke"), "Ask an admin or an owner.")
    seen = {"role": "viewer", "scopes": [], "actions": {"keys.list": True}, "why": why}
    gateway.on("GET", "/v1/me/permissions", (200, seen))
    page = browser.sign_in("acme").get("/o/acme/keys").content.decode()
    assert 'aria-disabled="true"' in page
    assert "Ask an admin or an owner." in page
    assert browser.post("/o/acme/keys/new", NEW).status_code == 403
    assert browser.post("/o/acme/keys/key_1/rotate", {"grace": "0"}).status_code == 403
    assert browser.post("/o/acme/keys/key_1/edit", LIMITED).status_code == 403
    assert browser.post("/o/acme/keys/key_1/extend-grace", {"grace": "3600"}).status_code == 403
    assert browser.post("/o/acme/keys/key_1/revoke-tokens").status_code == 403
    assert browser.post("/o/acme/keys/key_1/revoke", {"confirm": "web-prod"}).status_code == 403
    assert [call.method for call in gateway.calls if call.path.startswith("/v1/keys")] == ["GET"]
