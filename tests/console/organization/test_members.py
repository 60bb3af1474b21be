"""Members: roles, invitations whose links show once, leaving; and what an admin or a viewer is not offered."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.console.conftest import Browser
from tests.console.scripted import ORGANIZATIONS, Scripted, problem

LINK = "http://gateway.test/invite/very-secret"
ALL = dict.fromkeys(("members.list", "members.invite", "members.change", "members.remove"), True)
POSTS = (
    ("members/invite", {"emails": "new@acme.example", "role": "viewer"}),
    ("members/invitations/inv_1/take-back", {}),
    ("members/usr_2/role", {"role": "admin"}),
)


def _member(number: str, email: str, role: str, **more: Any) -> dict[str, Any]:
    shown = {"joined_at": "2026-11-20T10:00:00Z", "last_seen_at": None, "mfa": False, "keys": 0, "name": ""}
    return {"user_id": f"usr_{number}", "email": email, "role": role, **shown, **more}


def _invitation(**more: Any) -> dict[str, Any]:
    shown = {"id": "inv_1", "email": "guest@acme.example", "role": "viewer", "state": "pending", "url": None}
    return {**shown, "expires_at": "2999-01-01T00:00:00Z", "created_at": "2026-11-20T10:00:00Z", **more}


@pytest.fixture
def gateway(scripted: Scripted) -> Scripted:
    people = [_member("acme", "owner@acme.example", "owner"), _member("2", "member@acme.example", "developer", keys=2)]
    scripted.on("GET", "/v1/me/permissions", (200, {"role": "owner", "scopes": [], "actions": ALL, "why": {}}))
    scripted.on("GET", "/v1/members", (200, {"data": people, "next_cursor": None}))
    scripted.on("GET", "/v1/invitations", (200, {"data": [_invitation()], "next_cursor": None}))
    scripted.on("POST", "/v1/invitations", (201, {"data": [_invitation(email="new@acme.example", url=LINK)]}))
    scripted.on("DELETE", "/v1/invitations/inv_1", (200, _invitation(state="revoked")))
    scripted.on("PATCH", "/v1/members/usr_2", (200, _member("2", "member@acme.example", "admin")))
    gone = {"removed": "usr_2", "keys_handed_over": 2, "to": "usr_acme"}
    scripted.on("DELETE", "/v1/members/usr_2", (200, gone))
    return scripted


def _writes(gateway: Scripted) -> list[tuple[str, str, Any]]:
    return [
        (call.method, call.path, call.body)
        for call in gateway.calls
        if call.method != "GET" and call.path != "/v1/auth/token"
    ]


def test_members__listed__shows_people_and_open_invitations(browser: Browser, gateway: Scripted) -> None:
    page = browser.sign_in("acme").get("/o/acme/members").content.decode()
    assert "member@acme.example" in page
    assert "guest@acme.example" in page
    assert [call.slug for call in gateway.asked("/v1/members")] == ["acme"]


def test_invite__several__shows_each_link_in_this_answer_only(browser: Browser, gateway: Scripted) -> None:
    made = [
        _invitation(email="new@acme.example", url=LINK),
        {"email": "member@acme.example", "error": "already_member"},
    ]
    gateway.on("POST", "/v1/invitations", (201, {"data": made}))
    sent = {"emails": "new@acme.example,\nmember@acme.example", "role": "viewer"}
    answer = browser.sign_in("acme").post("/o/acme/members/invite", sent)
    page = answer.content.decode()
    assert (answer.status_code, answer["Cache-Control"]) == (200, "no-store")
    assert LINK in page
    assert "is a member already" in page
    assert 'hx-history="false"' in page
    body = {"emails": ["new@acme.example", "member@acme.example"], "role": "viewer"}
    assert _writes(gateway) == [("POST", "/v1/invitations", body)]
    assert "new@acme.example" not in re.findall(r"<textarea[^>]*>([^<]*)", page)[0]
    assert LINK not in browser.get("/o/acme/members").content.decode()
    assert LINK not in str(browser.session)


@pytest.mark.parametrize(
    ("emails", "refusal", "message"),
    [
        (" , ", None, "Write at least one address."),
        ("nonsense", problem(422, "invalid_request", errors=[{"pointer": "#/emails/0", "message": "Not an address."}]),
         "Not an address."),
        ("new@acme.example", problem(409, "too_many_invitations"), "Detail of too_many_invitations."),
    ],
)  # fmt: skip
def test_invite__refused__says_why_and_keeps_what_was_typed(
    emails: str, refusal: Any, message: str, browser: Browser, gateway: Scripted
) -> None:
    if refusal:
        gateway.on("POST", "/v1/invitations", refusal)
    answer = browser.sign_in("acme").post("/o/acme/members/invite", {"emails": emails, "role": "reviewer"})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert message in page
    assert emails.strip() in page
    assert re.search(r'value="reviewer"\s+checked', page)
    assert len(_writes(gateway)) == bool(refusal)


def test_invite__an_owner_by_an_admin__is_refused_in_the_gateways_words(browser: Browser, gateway: Scripted) -> None:
    gateway.on("POST", "/v1/invitations", problem(403, "owner_required"))
    answer = browser.sign_in("acme").post("/o/acme/members/invite", {"emails": "new@acme.example", "role": "owner"})
    assert answer.status_code == 403
    page = answer.content.decode()
    assert "Detail of owner_required." in page
    assert "req_scripted" in page
    assert LINK not in page


def test_take_back__an_open_invitation__says_so(browser: Browser, gateway: Scripted) -> None:
    answer = browser.sign_in("acme").post("/o/acme/members/invitations/inv_1/take-back")
    assert (answer.status_code, answer["Location"]) == (303, "/o/acme/members")
    assert _writes(gateway) == [("DELETE", "/v1/invitations/inv_1", None)]
    assert "The invitation of guest@acme.example is taken back" in browser.get("/o/acme/members").content.decode()


@pytest.mark.parametrize("refusal", [None, problem(409, "last_owner"), problem(403, "owner_required")])
def test_change__role__holds_or_says_why_not(refusal: Any, browser: Browser, gateway: Scripted) -> None:
    if refusal:
        gateway.on("PATCH", "/v1/members/usr_2", refusal)
    answer = browser.sign_in("acme").post("/o/acme/members/usr_2/role", {"role": "admin"})
    assert answer.status_code == 303
    assert _writes(gateway) == [("PATCH", "/v1/members/usr_2", {"role": "admin"})]
    page = browser.get("/o/acme/members").content.decode()
    assert (refusal[1]["detail"] if refusal else "member@acme.example is now admin") in page


def test_remove__somebody_with_keys__asks_and_hands_them_over(browser: Browser, gateway: Scripted) -> None:
    page = browser.sign_in("acme").get("/o/acme/members/usr_2/remove").content.decode()
    assert "The 2 keys they answer for keep working" in page
    assert _writes(gateway) == []
    answer = browser.post("/o/acme/members/usr_2/remove", {"hand_over_to": "usr_acme"})
    assert (answer.status_code, answer["Location"]) == (303, "/o/acme/members")
    [call] = [call for call in gateway.calls if call.method == "DELETE"]
    assert (call.path, call.query, call.slug) == ("/v1/members/usr_2", {"hand_over_to": "usr_acme"}, "acme")
    assert "member@acme.example left; 2 keys handed over" in browser.get("/o/acme/members").content.decode()


def test_leave__the_last_owner__stays_and_is_told_why(browser: Browser, gateway: Scripted) -> None:
    gateway.on("DELETE", "/v1/members/usr_acme", problem(409, "last_owner"))
    page = browser.sign_in("acme").get("/o/acme/members/usr_acme/remove").content.decode()
    assert "Leave Acme" in page
    answer = browser.post("/o/acme/members/usr_acme/remove", {"hand_over_to": ""})
    assert answer.status_code == 422
    assert "Detail of last_owner." in answer.content.decode()


def test_remove__somebody_who_left_meanwhile__is_nothing_to_do(browser: Browser, gateway: Scripted) -> None:
    answer = browser.sign_in("acme").post("/o/acme/members/usr_9/remove")
    assert (answer.status_code, answer["Location"]) == (303, "/o/acme/members")
    assert _writes(gateway) == []


def test_members__of_another_organization__are_not_found(browser: Browser, gateway: Scripted) -> None:
    browser.sign_in("globex")
    assert browser.get("/o/acme/members").status_code == 404
    assert browser.get("/o/acme/members/usr_2/remove").status_code == 404
    for path, body in (*POSTS, ("members/usr_2/remove", {})):
        assert browser.post(f"/o/acme/{path}", body).status_code == 404
    assert _writes(gateway) == []
    assert gateway.asked("/v1/members") == []


def test_members__for_a_viewer__may_be_seen_but_not_changed(browser: Browser, gateway: Scripted) -> None:
    why = {name: "Ask an admin or an owner." for name in ALL if name != "members.list"}
    seen = {"role": "viewer", "scopes": [], "actions": {"members.list": True}, "why": why}
    gateway.on("GET", "/v1/me/permissions", (200, seen))
    page = browser.sign_in("acme").get("/o/acme/members").content.decode()
    assert "Ask an admin or an owner." in page
    assert "/role" not in page
    assert "take-back" not in page
    for path, body in POSTS:
        assert browser.post(f"/o/acme/{path}", body).status_code == 403
    assert browser.post("/o/acme/members/usr_2/remove").status_code == 403
    assert _writes(gateway) == []
    assert browser.get("/o/acme/members/usr_acme/remove").status_code == 200  # anybody may leave


def test_members__for_an_admin__offers_nothing_about_owners(
    browser: Browser, gateway: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ORGANIZATIONS, "acme", {**ORGANIZATIONS["acme"], "role": "admin"})
    page = browser.sign_in("acme").get("/o/acme/members").content.decode()
    assert 'value="owner"' not in page
    assert "/members/usr_2/role" in page
    assert "/members/usr_acme/role" not in page
