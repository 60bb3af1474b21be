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
    "created_at": "2026-11-20T10:00:00Z", "created_by": "user:usr_acme",
}  # fmt: skip
SECRET = "ik_live_abc_very_secret"
ALL = dict.fromkeys(("keys.list", "keys.create", "keys.rotate", "keys.revoke"), True)
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
    assert (done.status_code, done["Location"]) == (303, "/o/acme/keys")
    assert [(call.path, call.slug) for call in gateway.calls if call.method == "DELETE"] == [("/v1/keys/key_1", "acme")]


def test_keys__of_another_organization__are_not_found(browser: Browser, gateway: Scripted) -> None:
    for path in ("keys", "keys/new", "keys/key_1", "keys/key_1/rotate", "keys/key_1/revoke"):
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
    assert browser.post("/o/acme/keys/key_1/revoke", {"confirm": "web-prod"}).status_code == 403
    assert [call.method for call in gateway.calls if call.path.startswith("/v1/keys")] == ["GET"]
