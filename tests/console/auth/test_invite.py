"""Invitations on the console's pages: two organizations, the right and the wrong people."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.accounts.support import Person
from tests.console.auth.conftest import Newcomer
from tests.console.auth.support import Visitor
from tests.harness import Gateway, eventually


class Owner:
    """Somebody with an organization of their own, by the API."""

    def __init__(self, person: Person, slug: str) -> None:
        self.person, self.slug = person, slug
        made = self._call("POST", "/v1/organizations", None, {"name": slug.title(), "slug": slug})
        assert made.status_code == 201, made.text
        eventually(self._ready, within=30)

    def invite(self, email: str, role: str = "developer") -> str:
        """Path of the link."""
        answer = self._call("POST", "/v1/invitations", self.slug, {"emails": [email], "role": role})
        assert answer.status_code == 201, answer.text
        self.last = answer.json()["data"][0]
        return httpx.URL(self.last["url"]).path

    def revoke(self) -> None:
        assert self._call("DELETE", f"/v1/invitations/{self.last['id']}", self.slug).status_code == 200

    def members(self) -> list[str]:
        return sorted(one["email"] for one in self._call("GET", "/v1/members", self.slug).json()["data"])

    def _ready(self) -> bool:
        return bool(self._call("GET", f"/v1/organizations/{self.slug}", None).json()["state"] == "ready")

    def _call(self, method: str, path: str, organization: str | None, body: Any = None) -> httpx.Response:
        base = self.person.accounts.base_url
        headers = {"X-Session-Token": str(self.person.token)}
        made = httpx.post(f"{base}/v1/auth/token", json={"organization": organization}, headers=headers, timeout=30)
        given = {"Authorization": f"Bearer {made.json()['token']}"}
        return httpx.request(method, base + path, json=body, headers=given, timeout=30)


@pytest.fixture(scope="module")
def owners(gateway: Gateway, accounts: Any) -> dict[str, Owner]:
    return {name: Owner(accounts.member(), f"invites-{name}") for name in ("acme", "globex")}


def test_invitation__for_a_newcomer__goes_through_sign_up_into_the_organization(
    owners: dict[str, Owner], newcomer: Newcomer
) -> None:
    visitor = newcomer()
    path = owners["acme"].invite(visitor.email, "reviewer")
    page = visitor.get(path)
    assert (page.status, page.heading) == (200, "Join Invites-Acme")
    assert "reviewer" in page.text
    assert visitor.email in page.text
    page = visitor.sign_up(f"/signup?next={path}&email={visitor.email}")
    assert page.path == "/verify"
    page = visitor.submit("/verify", code=visitor.code)
    assert page.path == path
    assert owners["acme"].members() == [owners["acme"].person.email]
    page = visitor.submit(path)
    assert (page.status, page.path) == (200, "/o/invites-acme/")
    assert "You are a member of Invites-Acme now." in page.text
    assert visitor.email in owners["acme"].members()
    assert visitor.email not in owners["globex"].members()
    assert visitor.get("/o/invites-globex/").status == 404
    page = visitor.elsewhere().get(path)
    assert (page.status, "It was accepted already." in page.text) == (410, True)


def test_invitation__sign_up_asks_no_organization__and_remembers_where_to_go(
    owners: dict[str, Owner], newcomer: Newcomer
) -> None:
    visitor = newcomer()
    path = owners["acme"].invite(visitor.email)
    form = visitor.get(f"/signup?next={path}&email={visitor.email}").form("/signup")
    assert (form["email"], form["next"], "organization" in form) == (visitor.email, path, False)


def test_invitation__wrong_account__says_whose_it_is_and_lets_one_change(
    owners: dict[str, Owner], member: Visitor, newcomer: Newcomer
) -> None:
    invited = newcomer()
    path = owners["globex"].invite(invited.email)
    page = member.get(path)
    assert page.status == 200
    assert f"You are signed in as {member.email} , but this invitation is for {invited.email}" in page.text
    answer = member.client.post(path, data=page.form("/logout"))
    assert answer.status_code == 403
    assert member.email not in owners["globex"].members()
    page = member.submit("/logout")
    assert (page.path, member.signed_in()) == (path, False)


def test_invitation__forged_or_taken_back__says_so(owners: dict[str, Owner], member: Visitor) -> None:
    path = owners["acme"].invite(member.email)
    for wrong in (path[:-3] + "aaa", "/invite/x", "/invite/" + "a" * 52, "/invite/%00"):
        answer = member.client.get(wrong)
        assert answer.status_code in {400, 404}, wrong
    assert member.get(path[:-3] + "aaa").heading == "This invitation does not work"
    owners["acme"].revoke()
    page = member.get(path)
    assert (page.status, "It was taken back." in page.text) == (410, True)
    assert member.email not in owners["acme"].members()


def test_invitation__member__accepts_with_one_press(owners: dict[str, Owner], member: Visitor) -> None:
    path = owners["globex"].invite(member.email)
    member.get(path)
    page = member.submit(path)
    assert (page.status, page.path) == (200, "/o/invites-globex/")
    assert member.email in owners["globex"].members()
    assert json.dumps(owners["acme"].members()).count(member.email) == 0
