"""Providers: a key goes to the gateway and never comes back, a test call says what came of it, short names."""

from __future__ import annotations

from typing import Any

import pytest

from tests.console.conftest import Browser
from tests.console.scripted import Scripted, problem

KEY = "sk-very-secret-9f2c"
PROVIDER: dict[str, Any] = {
    "id": "prv_1", "name": "openai", "kind": "openai", "base_url": "https://llm.acme.example/v1", "last4": "9f2c",
    "created_at": "2026-11-20T10:00:00Z", "rotated_at": None, "last_used_at": None, "state": "active",
}  # fmt: skip
NEW = {"name": "openai", "kind": "openai", "base_url": "", "api_key": KEY}
ALIAS = {"alias": "fast", "model": "openai/gpt-5-mini"}
POSTS = (
    ("providers/new", NEW),
    ("providers/prv_1/test", {}),
    ("providers/prv_1/rotate", {"api_key": KEY}),
    ("providers/prv_1/switch", {"state": "disabled"}),
    ("providers/prv_1/delete", {"confirm": "openai"}),
    ("providers/aliases", ALIAS),
    ("providers/aliases/remove", {"alias": "fast"}),
)


@pytest.fixture
def gateway(scripted: Scripted) -> Scripted:
    actions = {"providers.read": True, "providers.write": True}
    scripted.on("GET", "/v1/me/permissions", (200, {"role": "owner", "scopes": [], "actions": actions, "why": {}}))
    scripted.on("GET", "/v1/providers", (200, {"data": [PROVIDER], "next_cursor": None}))
    scripted.on("GET", "/v1/providers/prv_1", (200, PROVIDER))
    scripted.on("GET", "/v1/models/aliases", (200, {"data": [ALIAS]}))
    scripted.on("POST", "/v1/providers", (201, PROVIDER))
    scripted.on("POST", "/v1/providers/prv_1/rotate", (200, PROVIDER))
    scripted.on("PATCH", "/v1/providers/prv_1", (200, {**PROVIDER, "state": "disabled"}))
    scripted.on("DELETE", "/v1/providers/prv_1", (200, PROVIDER))
    scripted.on("PUT", "/v1/models/aliases/fast", (200, ALIAS))
    scripted.on("DELETE", "/v1/models/aliases/fast", (200, ALIAS))
    return scripted


def _writes(gateway: Scripted) -> list[tuple[str, str, Any]]:
    return [
        (call.method, call.path, call.body)
        for call in gateway.calls
        if call.method != "GET" and call.path != "/v1/auth/token"
    ]


def test_providers__listed__shows_the_end_of_the_key_only(browser: Browser, gateway: Scripted) -> None:
    page = browser.sign_in("acme").get("/o/acme/providers").content.decode()
    assert "…9f2c" in page
    assert "fast" in page
    assert [call.slug for call in gateway.asked("/v1/providers")] == ["acme"]


def test_new_provider__added__sends_the_key_and_shows_it_nowhere(browser: Browser, gateway: Scripted) -> None:
    answer = browser.sign_in("acme").post("/o/acme/providers/new", NEW)
    assert (answer.status_code, answer["Location"]) == (303, "/o/acme/providers")
    body = {"name": "openai", "kind": "openai", "api_key": KEY}
    assert _writes(gateway) == [("POST", "/v1/providers", body)]
    page = browser.get("/o/acme/providers").content.decode()
    assert "openai is there; test it before you use it" in page
    assert KEY not in page
    assert KEY not in str(browser.session)


@pytest.mark.parametrize(
    ("refusal", "message"),
    [
        (problem(409, "provider_exists"), "Detail of provider_exists."),
        (problem(403, "egress_refused"), "Detail of egress_refused."),
        (problem(422, "invalid_request", errors=[{"pointer": "#/name", "message": "Only a-z."}]), "Only a-z."),
    ],
)
def test_new_provider__refused__says_why_and_asks_for_the_key_again(
    refusal: Any, message: str, browser: Browser, gateway: Scripted
) -> None:
    gateway.on("POST", "/v1/providers", refusal)
    sent = {**NEW, "base_url": "http://10.0.0.1/v1"}
    answer = browser.sign_in("acme").post("/o/acme/providers/new", sent)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert message in page
    assert 'value="http://10.0.0.1/v1"' in page
    assert KEY not in page


@pytest.mark.parametrize(
    ("outcome", "shown"),
    [
        ({"ok": True, "model": "gpt-5-mini", "latency_ms": 812, "status": 200, "error": None}, "answered in 812 ms"),
        ({"ok": False, "model": "gpt-5-mini", "latency_ms": 90, "status": 401,
          "error": {"code": "upstream_auth", "detail": "The provider refused the key sk-…9f2c."}}, "sk-…9f2c"),
    ],
)  # fmt: skip
def test_test__of_a_provider__says_what_came_of_it_in_its_card(
    outcome: dict[str, Any], shown: str, browser: Browser, gateway: Scripted
) -> None:
    gateway.on("POST", "/v1/providers/prv_1/test", (200, {**outcome, "provider_cost_micros": 3}))
    whole = browser.sign_in("acme").post("/o/acme/providers/prv_1/test")
    assert whole.status_code == 200
    assert shown in whole.content.decode()
    part = browser.post("/o/acme/providers/prv_1/test", htmx="cards").content.decode()
    assert part.strip().startswith('<div id="cards"')
    assert shown in part
    assert shown not in browser.get("/o/acme/providers").content.decode()


def test_rotate__with_a_new_key__replaces_it_and_shows_it_nowhere(browser: Browser, gateway: Scripted) -> None:
    answer = browser.sign_in("acme").post("/o/acme/providers/prv_1/rotate", {"api_key": KEY})
    assert answer.status_code == 303
    assert _writes(gateway) == [("POST", "/v1/providers/prv_1/rotate", {"api_key": KEY})]
    gateway.on("POST", "/v1/providers/prv_1/rotate", problem(422, "invalid_request"))
    refused = browser.post("/o/acme/providers/prv_1/rotate", {"api_key": KEY})
    assert refused.status_code == 422
    assert "Detail of invalid_request." in refused.content.decode()
    assert KEY not in refused.content.decode()


def test_switch__off_and_on__says_which(browser: Browser, gateway: Scripted) -> None:
    browser.sign_in("acme")
    for state in ("disabled", "active"):
        assert browser.post("/o/acme/providers/prv_1/switch", {"state": state}).status_code == 303
    assert _writes(gateway) == [
        ("PATCH", "/v1/providers/prv_1", {"state": "disabled"}), ("PATCH", "/v1/providers/prv_1", {"state": "active"}),
    ]  # fmt: skip
    assert "openai is on" in browser.get("/o/acme/providers").content.decode()


def test_delete__without_the_name__deletes_nothing(browser: Browser, gateway: Scripted) -> None:
    refused = browser.sign_in("acme").post("/o/acme/providers/prv_1/delete", {"confirm": "open"})
    assert refused.status_code == 422
    assert _writes(gateway) == []
    assert browser.post("/o/acme/providers/prv_1/delete", {"confirm": "openai"}).status_code == 303
    assert _writes(gateway) == [("DELETE", "/v1/providers/prv_1", None)]


def test_alias__set_and_removed__is_the_organizations_own(browser: Browser, gateway: Scripted) -> None:
    browser.sign_in("acme")
    assert browser.post("/o/acme/providers/aliases", ALIAS).status_code == 303
    assert browser.post("/o/acme/providers/aliases/remove", {"alias": "fast"}).status_code == 303
    assert _writes(gateway) == [
        ("PUT", "/v1/models/aliases/fast", {"model": "openai/gpt-5-mini"}), ("DELETE", "/v1/models/aliases/fast", None),
    ]  # fmt: skip
    assert {call.slug for call in gateway.calls if call.path.startswith("/v1/models/aliases")} == {"acme"}


@pytest.mark.parametrize(
    ("sent", "refusal", "message"),
    [
        ({"alias": "", "model": "x"}, None, "Give it a name"),
        ({"alias": "../../keys/key_1", "model": "x"}, None, "Begin with a letter"),
        (ALIAS, problem(404, "model_not_found"), "Detail of model_not_found."),
        (ALIAS, problem(422, "invalid_alias"), "Detail of invalid_alias."),
    ],
)
def test_alias__refused__says_why_and_keeps_what_was_typed(
    sent: dict[str, str], refusal: Any, message: str, browser: Browser, gateway: Scripted
) -> None:
    if refusal:
        gateway.on("PUT", "/v1/models/aliases/fast", refusal)
    answer = browser.sign_in("acme").post("/o/acme/providers/aliases", sent)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert message in page
    assert f'value="{sent["model"]}"' in page
    assert len(_writes(gateway)) == bool(refusal)


def test_alias__that_would_lead_elsewhere__removes_nothing(browser: Browser, gateway: Scripted) -> None:
    answer = browser.sign_in("acme").post("/o/acme/providers/aliases/remove", {"alias": "../../keys/key_1"})
    assert answer.status_code == 404
    assert _writes(gateway) == []


def test_providers__of_another_organization__are_not_found(browser: Browser, gateway: Scripted) -> None:
    browser.sign_in("globex")
    for path in ("providers", "providers/new", "providers/prv_1/rotate", "providers/prv_1/delete"):
        assert browser.get(f"/o/acme/{path}").status_code == 404
    for path, body in POSTS:
        assert browser.post(f"/o/acme/{path}", body).status_code == 404
    assert _writes(gateway) == []
    assert gateway.asked("/v1/providers") == gateway.asked("/v1/providers/prv_1") == []


def test_providers__for_a_developer__may_be_seen_but_not_changed(browser: Browser, gateway: Scripted) -> None:
    why = {"providers.write": "Ask an admin or an owner."}
    seen = {"role": "developer", "scopes": [], "actions": {"providers.read": True}, "why": why}
    gateway.on("GET", "/v1/me/permissions", (200, seen))
    page = browser.sign_in("acme").get("/o/acme/providers").content.decode()
    assert 'aria-disabled="true"' in page
    assert "Ask an admin or an owner." in page
    assert 'action="/o/acme/providers' not in page
    for path, body in POSTS:
        assert browser.post(f"/o/acme/{path}", body).status_code == 403
    assert _writes(gateway) == []
