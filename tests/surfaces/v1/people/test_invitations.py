"""Invitations: a link that works once, for seven days, for the invited address."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import httpx
import pytest
from django.db import connections

from gateway.core import clock
from tenants.models import InvitationRow
from tests.factories.people import People, person
from tests.harness import Gateway, eventually
from tests.mails import mails_to


@pytest.fixture
def boss(people: People) -> httpx.Client:
    return people.client(people.member("owner"), people.acme)


def invite(boss: httpx.Client, *emails: str, role: str = "developer") -> list[dict[str, Any]]:
    answer = boss.post("/v1/invitations", json={"emails": list(emails), "role": role})
    assert answer.status_code == 201, answer.text
    return answer.json()["data"]


def token(invitation: dict[str, Any]) -> str:
    return invitation["url"].rpartition("/")[2]


def accept(people: People, someone: Any, secret: str) -> tuple[int, Any]:
    answer = people.client(someone).post("/v1/invitations/accept", json={"token": secret})
    return answer.status_code, answer.json().get("code") or answer.json()


def test_invitation__accepted__makes_a_member_once(gateway: Gateway, people: People, boss: httpx.Client) -> None:
    someone = person("member")
    (made,) = invite(boss, someone.email.upper())
    assert (made["email"], made["state"], made["role"]) == (someone.email, "pending", "developer")
    seen = httpx.get(f"{gateway.base_url}/v1/invitations/by-token/{token(made)}")
    assert seen.status_code == 200
    assert seen.json()["organization"] == {"name": "Acme", "slug": "acme"}
    assert (seen.json()["email"], seen.json()["state"]) == (someone.email, "pending")
    status, joined = accept(people, someone, token(made))
    assert (status, joined["role"], joined["organization"]["slug"]) == (200, "developer", "acme")
    with people.client(someone, people.acme) as client:
        assert client.get("/v1/me").json()["role"] == "developer"
    assert accept(people, someone, token(made)) == (410, "invitation_used")
    listed = boss.get("/v1/invitations?limit=200").json()["data"]
    assert next(one for one in listed if one["id"] == made["id"])["state"] == "accepted"
    assert made["url"] not in str(listed)
    assert all(one["url"] is None for one in listed)


def test_invitation__stored__has_no_secret_in_the_database(people: People, boss: httpx.Client) -> None:
    (made,) = invite(boss, person("member").email)
    with connections["owner"].cursor() as cursor:
        cursor.execute("SELECT row_to_json(i)::text FROM public.tenants_invitation i")
        assert all(token(made) not in row for (row,) in cursor.fetchall())


def test_invitation__forged__is_404(gateway: Gateway, people: People, boss: httpx.Client) -> None:
    someone = person("member")
    (made,) = invite(boss, someone.email)
    good = token(made)
    for forged in ("x", "a" * 52, good[:-1] + ("a" if good[-1] != "a" else "b"), good.upper(), good + "a", "%2e%2e"):
        seen = httpx.get(f"{gateway.base_url}/v1/invitations/by-token/{forged}")
        assert (seen.status_code, seen.json()["code"]) == (404, "invitation_invalid"), forged
        assert accept(people, someone, forged) == (404, "invitation_invalid")
    assert people.client(someone).get("/v1/organizations").json()["data"] == []


def test_invitation__for_another_address__is_refused(people: People, boss: httpx.Client) -> None:
    invited, other = person("member"), person("stranger")
    (made,) = invite(boss, invited.email)
    assert accept(people, other, token(made)) == (403, "invitation_for_other_email")
    assert people.client(other).get("/v1/organizations").json()["data"] == []
    assert accept(people, invited, token(made))[0] == 200


def test_invitation__whose_time_is_over_or_taken_back__is_410(people: People, boss: httpx.Client) -> None:
    first, second = person("member"), person("member")
    old, revoked = invite(boss, first.email, second.email)
    InvitationRow.objects.filter(email=first.email).update(expires_at=clock.now() - timedelta(seconds=1))
    assert boss.delete(f"/v1/invitations/{revoked['id']}").json()["state"] == "revoked"
    assert accept(people, first, token(old)) == (410, "invitation_expired")
    assert accept(people, second, token(revoked)) == (410, "invitation_revoked")
    for someone in (first, second):
        assert people.client(someone).get("/v1/organizations").json()["data"] == []


def test_invitation__again__ends_the_earlier_link(people: People, boss: httpx.Client) -> None:
    someone = person("member")
    (first,), (second,) = invite(boss, someone.email), invite(boss, someone.email, role="viewer")
    assert accept(people, someone, token(first)) == (410, "invitation_revoked")
    assert accept(people, someone, token(second))[0] == 200


def test_invitations__with_a_member_or_twice_the_same__say_so(people: People, boss: httpx.Client) -> None:
    member, new = people.member("viewer"), person("member")
    made = invite(boss, member.email, new.email, new.email.upper())
    assert [(one["email"], one["error"], one["url"] is None) for one in made] == [
        (member.email, "already_member", True),
        (new.email, None, False),
    ]


@pytest.mark.parametrize("wrong", ["nobody", "a b@acme.example", "x@", "@acme.example", "a@b\r\nBcc: x@y.example"])
def test_invitations__to_what_is_no_address__are_refused_whole(boss: httpx.Client, wrong: str) -> None:
    good = f"good-{abs(hash(wrong))}@acme.example"
    answer = boss.post("/v1/invitations", json={"emails": [good, wrong], "role": "viewer"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "#/emails/1"
    assert good not in boss.get("/v1/invitations?limit=200").text


def test_invitation__of_another_organization__is_404(people: People, boss: httpx.Client) -> None:
    (made,) = invite(boss, person("member").email)
    other = people.client(people.member("owner", of=people.gateway.globex), people.globex)
    assert other.delete(f"/v1/invitations/{made['id']}").json()["code"] == "invitation_not_found"
    assert made["id"] not in other.get("/v1/invitations?limit=200").text
    assert made["email"] not in other.get("/v1/invitations?limit=200").text


def test_invitation__made__is_mailed_by_the_worker(gateway: Gateway, people: People, boss: httpx.Client) -> None:
    (made,) = invite(boss, person("member").email)

    _, text = eventually(lambda: mails_to(gateway, made["email"]), within=15)[0]
    assert re.search(r"https?://\S+/invite/\S+", text)[0] == made["url"]
    assert "Acme" in text
