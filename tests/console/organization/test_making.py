"""Making an organization: the form, how far it is, and building a failed one again."""

from __future__ import annotations

from typing import Any

import pytest

from tests.console.conftest import Browser
from tests.console.scripted import Scripted, problem

STEPS = [
    {"name": "schema", "done": True}, {"name": "flags", "done": False}, {"name": "default_persona", "done": False},
]  # fmt: skip
MADE: dict[str, Any] = {
    "id": "org_new", "slug": "harbour", "name": "Harbour", "plan": "free", "state": "provisioning", "role": "owner",
    "failure": None, "created_at": "2026-11-20T10:00:00Z", "steps": STEPS,
}  # fmt: skip


@pytest.fixture
def gateway(scripted: Scripted) -> Scripted:
    scripted.on("POST", "/v1/organizations", (201, MADE))
    scripted.on("GET", "/v1/organizations/harbour", (200, MADE))
    scripted.on("POST", "/v1/organizations/harbour/retry", (200, MADE))
    return scripted


def test_new__named__is_made_once_and_leads_to_its_progress(browser: Browser, gateway: Scripted) -> None:
    sent = {"name": "Harbour", "slug": "", "idempotency_key": "once"}
    answer = browser.sign_in("acme").post("/organizations/new", sent)
    assert (answer.status_code, answer["Location"]) == (303, "/organizations/harbour?next=/o/harbour/start")
    [call] = [call for call in gateway.asked("/v1/organizations") if call.method == "POST"]
    assert (call.body, call.headers["idempotency-key"], call.slug) == ({"name": "Harbour"}, "once", "")


@pytest.mark.parametrize(
    ("name", "refusal", "message"),
    [
        ("", None, "Give it a name."),
        ("Harbour", problem(409, "slug_taken"), "Detail of slug_taken."),
        ("Harbour", problem(422, "slug_reserved"), "Detail of slug_reserved."),
        ("Harbour", problem(409, "too_many_organizations"), "Detail of too_many_organizations."),
        (
            "Harbour",
            problem(422, "invalid_request", errors=[{"pointer": "#/slug", "message": "Only a-z."}]),
            "Only a-z.",
        ),
    ],
)
def test_new__refused__says_why_and_keeps_what_was_typed(
    name: str, refusal: Any, message: str, browser: Browser, gateway: Scripted
) -> None:
    if refusal:
        gateway.on("POST", "/v1/organizations", refusal)
    answer = browser.sign_in("acme").post("/organizations/new", {"name": name, "slug": "har-bour"})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert message in page
    assert f'value="{name}"' in page
    assert 'value="har-bour"' in page


def test_progress__under_way__shows_the_steps_and_asks_again(browser: Browser, gateway: Scripted) -> None:
    page = browser.sign_in("acme").get("/organizations/harbour", {"next": "/o/harbour/start"}).content.decode()
    assert "A database schema of its own" in page
    assert page.count("waiting") == 2
    assert 'hx-trigger="every 700ms"' in page
    assert '<meta http-equiv="refresh" content="2">' in page
    part = browser.get("/organizations/harbour", htmx="progress").content.decode()
    assert part.strip().startswith('<div id="progress"')


def test_progress__ready__moves_on_to_pages_of_ours_only(browser: Browser, gateway: Scripted) -> None:
    gateway.on("GET", "/v1/organizations/harbour", (200, {**MADE, "state": "ready"}))
    browser.sign_in("acme")
    for given, target in (("/o/harbour/keys", "/o/harbour/keys"), ("https://evil.example", "/o/harbour/start")):
        answer = browser.get("/organizations/harbour", {"next": given})
        assert (answer.status_code, answer["Location"]) == (303, target)
    moved = browser.get("/organizations/harbour", htmx="progress")
    assert (moved.status_code, moved["HX-Redirect"]) == (204, "/o/harbour/start")


def test_progress__failed__says_why_and_can_be_built_again(browser: Browser, gateway: Scripted) -> None:
    failed = {**MADE, "state": "failed", "failure": "The disk was full."}
    gateway.on("GET", "/v1/organizations/harbour", (200, failed))
    page = browser.sign_in("acme").get("/organizations/harbour").content.decode()
    assert "The disk was full." in page
    assert "hx-trigger" not in page.partition('id="progress"')[2].partition("</div>")[0]
    answer = browser.post("/organizations/harbour/retry")
    assert (answer.status_code, answer["Location"]) == (303, "/organizations/harbour")
    assert len(gateway.asked("/v1/organizations/harbour/retry")) == 1
    gateway.on("GET", "/v1/organizations/harbour", (200, {**failed, "role": "viewer"}))
    assert "Build it again" not in browser.get("/organizations/harbour").content.decode()


def test_progress__of_another_organization__is_not_found(browser: Browser, gateway: Scripted) -> None:
    gateway.on("GET", "/v1/organizations/harbour", problem(404, "organization_not_found"))
    gateway.on("POST", "/v1/organizations/harbour/retry", problem(404, "organization_not_found"))
    assert browser.sign_in("globex").get("/organizations/harbour").status_code == 404
    assert browser.post("/organizations/harbour/retry").status_code == 404
    assert {call.headers["authorization"] for call in gateway.asked("/v1/organizations/harbour")} == {
        "Bearer token.globex."
    }


def test_making__signed_out__leads_to_sign_in_and_asks_nothing(browser: Browser, gateway: Scripted) -> None:
    for path in ("new", "harbour", "harbour/retry"):
        answer = browser.get(f"/organizations/{path}")
        assert (answer.status_code, answer["Location"]) == (303, f"/login?next=/organizations/{path}")
    assert gateway.calls == []
