"""Getting started: the first key inside the call, once; what the listening box says; who may do what."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from tests.console.conftest import Browser
from tests.console.scripted import Scripted, problem

SECRET = "ik_test_abc_very_secret"
STEPS = [
    {"id": name, "done": name == "organization", "done_at": "2026-11-20T10:00:00Z" if name == "organization" else None}
    for name in ("organization", "api_key", "persona", "first_call", "proposal", "provider", "invite")
]
WAITING: dict[str, Any] = {
    "steps": STEPS, "first_call": {"state": "waiting"}, "signed_up_at": "2026-11-20T10:00:00Z",
    "time_to_first_call_s": None,
}  # fmt: skip
FAILED = {
    "state": "failed", "request_id": "req_1", "occurred_at": "2026-11-20T10:01:00Z", "status": 401,
    "code": "key_misplaced", "detail": "The header has no Bearer.", "fix": "Send exactly this header.",
    "latency_ms": None, "timeline": [],
}  # fmt: skip
ANSWERED = {
    "state": "succeeded", "request_id": "req_2", "occurred_at": "2026-11-20T10:02:00Z", "status": 200, "code": None,
    "detail": None, "fix": None, "latency_ms": 84,
    "timeline": [{"stage": "auth", "ms": 4}, {"stage": "model", "ms": 80}],
}  # fmt: skip


@pytest.fixture
def gateway(scripted: Scripted) -> Scripted:
    actions = {"keys.create": True, "chat.run": True}
    scripted.on("GET", "/v1/me/permissions", (200, {"role": "owner", "scopes": [], "actions": actions, "why": {}}))
    scripted.on("GET", "/v1/onboarding", (200, WAITING))
    scripted.on("POST", "/v1/keys", (201, {"id": "key_1", "name": "first key", "secret": SECRET}))
    scripted.on("POST", "/v1/chat", (200, {}))
    return scripted


def test_start__at_first__offers_a_key_and_listens(browser: Browser, gateway: Scripted) -> None:
    page = browser.sign_in("acme").get("/o/acme/start").content.decode()
    assert "Create my first key" in page
    assert "Listening for your first request" in page
    assert "topics=first_call" in page
    assert "1 of 7 done" in page
    assert [call.slug for call in gateway.asked("/v1/onboarding")] == ["acme"]


def test_first_key__made__stands_in_the_call_of_this_answer_only(browser: Browser, gateway: Scripted) -> None:
    answer = browser.sign_in("acme").post("/o/acme/start", {"idempotency_key": "once"})
    page = answer.content.decode()
    assert (answer.status_code, answer["Cache-Control"]) == (200, "no-store")
    assert f"Authorization: Bearer {SECRET}" in page
    assert 'hx-history="false"' in page
    [made] = gateway.asked("/v1/keys")
    assert (made.body, made.headers["idempotency-key"]) == ({"name": "first key", "mode": "test"}, "once")
    again = browser.get("/o/acme/start").content.decode()
    assert SECRET not in again
    assert "Authorization: Bearer $IKIRO_API_KEY" in again
    assert SECRET not in str(browser.session)


def test_snippets__name_the_address_that_the_world_uses(browser: Browser, gateway: Scripted, settings: Any) -> None:
    settings.IKIRO_API_URL = "https://api.acme.example"
    for path in ("/o/acme/start", "/o/acme/keys"):
        gateway.on("GET", "/v1/me/permissions", (200, {"role": "owner", "actions": {"keys.list": True}, "why": {}}))
        gateway.on("GET", "/v1/keys", (200, {"data": [], "next_cursor": None}))
        page = browser.sign_in("acme").get(path).content.decode()
        assert "https://api.acme.example/v1/chat" in page
        assert "http://gateway.test" not in page


@pytest.mark.parametrize(
    ("first", "shown"),
    [
        (FAILED, ["A call arrived and was refused: 401", "The header has no Bearer.", "Send exactly this header."]),
        (ANSWERED, ["Your first answer", "84 ms", "13 s after signing up", "auth", "req_2"]),
    ],
)
def test_listen__what_arrived__is_said_live(
    first: dict[str, Any], shown: list[str], browser: Browser, gateway: Scripted
) -> None:
    seconds = 13.0 if first is ANSWERED else None
    gateway.on("GET", "/v1/onboarding", (200, {**WAITING, "first_call": first, "time_to_first_call_s": seconds}))
    page = browser.sign_in("acme").get("/o/acme/start").content.decode()
    answer = browser.get("/o/acme/live", {"topics": "first_call"})

    async def event() -> str:
        async for part in answer.streaming_content:
            if b"event: first_call" in part:
                return str(part.decode())
        raise AssertionError("nothing came")

    live = asyncio.run(event())
    for text in shown:
        assert text in re.sub(r"<[^>]+>", "", page)
        assert text in re.sub(r"<[^>]+>|data: ", "", live)


@pytest.mark.parametrize("refusal", [problem(409, "too_many_keys"), problem(403, "key_too_wide")])
def test_first_key__refused__says_why_and_shows_none(refusal: Any, browser: Browser, gateway: Scripted) -> None:
    gateway.on("POST", "/v1/keys", refusal)
    answer = browser.sign_in("acme").post("/o/acme/start")
    page = answer.content.decode()
    assert answer.status_code == refusal[0]
    assert refusal[1]["detail"] in page
    assert "req_scripted" in page
    assert SECRET not in page


def test_run__here__makes_the_call_and_comes_back_whatever_became_of_it(browser: Browser, gateway: Scripted) -> None:
    browser.sign_in("acme")
    for answer in ((200, {}), problem(402, "quota_exceeded"), problem(502, "upstream_broken")):
        gateway.on("POST", "/v1/chat", answer)
        back = browser.post("/o/acme/start/run")
        assert (back.status_code, back["Location"]) == (303, "/o/acme/start")
    assert [call.slug for call in gateway.asked("/v1/chat")] == ["acme"] * 3
    gateway.on("POST", "/v1/chat", problem(403, "scope_missing"))
    assert browser.post("/o/acme/start/run").status_code == 403


def test_start__of_another_organization__is_not_found(browser: Browser, gateway: Scripted) -> None:
    browser.sign_in("globex")
    assert browser.get("/o/acme/start").status_code == 404
    assert browser.post("/o/acme/start").status_code == 404
    assert browser.post("/o/acme/start/run").status_code == 404
    assert gateway.asked("/v1/onboarding") == gateway.asked("/v1/keys") == gateway.asked("/v1/chat") == []


def test_start__for_a_viewer__shows_the_way_and_makes_nothing(browser: Browser, gateway: Scripted) -> None:
    why = dict.fromkeys(("keys.create", "chat.run"), "Ask an admin or an owner.")
    gateway.on("GET", "/v1/me/permissions", (200, {"role": "viewer", "scopes": [], "actions": {}, "why": why}))
    page = browser.sign_in("acme").get("/o/acme/start").content.decode()
    assert page.count('aria-disabled="true"') == 2
    assert browser.post("/o/acme/start").status_code == 403
    assert browser.post("/o/acme/start/run").status_code == 403
    assert gateway.asked("/v1/keys") == gateway.asked("/v1/chat") == []
