"""Members over HTTP: roles, removal, leaving, and who inherits the keys."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.factories.people import People, Someone
from tests.harness import Gateway, eventually


@pytest.fixture(scope="module")
def org(gateway: Gateway) -> Any:
    """An organization of these tests' own, because they count its owners."""
    return gateway.org("members")


@pytest.fixture
def owner(people: People, org: Any) -> Someone:
    """The one owner: the organization's first, who came with it, steps back."""
    from tenants.models import MembershipRow  # after Django is set up

    someone = people.member("owner", of=org)
    others = MembershipRow.objects.filter(organization__slug=org.slug, role="owner").exclude(user_id=someone.id)
    others.update(role="viewer")
    return someone


def acting(people: People, someone: Someone, org: Any) -> httpx.Client:
    from tenants import selectors

    return people.client(someone, selectors.organization_by_slug(org.slug).ref)


def roles(client: httpx.Client) -> dict[str, str]:
    return {one["user_id"]: one["role"] for one in client.get("/v1/members?limit=200").json()["data"]}


def make_key(client: httpx.Client, **fields: Any) -> dict[str, Any]:
    answer = client.post("/v1/keys", json={"name": "test", **fields})
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_members__listed__show_role_second_factor_and_keys(gateway: Gateway, people: People, owner, org) -> None:
    client = acting(people, owner, org)
    make_key(client)
    page = client.get("/v1/members?limit=1").json()
    assert len(page["data"]) == 1
    rest = client.get(f"/v1/members?limit=200&cursor={page['next_cursor']}").json()["data"]
    mine = next(one for one in rest if one["user_id"] == owner.public_id)
    assert (mine["email"], mine["role"], mine["mfa"], mine["keys"]) == (owner.email, "owner", False, 1)
    with gateway.globex.client() as other:
        assert owner.email not in other.get("/v1/members?limit=200").text


def test_last_owner__stepping_back_or_leaving__is_409_and_stays(people: People, owner, org) -> None:
    client = acting(people, owner, org)
    before = roles(client)
    stepped = client.patch(f"/v1/members/{owner.public_id}", json={"role": "admin"})
    left = client.delete(f"/v1/members/{owner.public_id}")
    deleted = people.client(owner).request("DELETE", "/v1/account", json={"password": owner.password})
    for answer in (stepped, left, deleted):
        assert (answer.status_code, answer.json()["code"]) == (409, "last_owner")
    assert deleted.json()["organizations"] == ["members"]
    assert roles(client) == before


def test_admin__touching_or_making_owners__is_refused(people: People, owner, org) -> None:
    admin, member = people.member("admin", of=org), people.member("viewer", of=org)
    client = acting(people, admin, org)
    before = roles(client)
    refused = [
        client.patch(f"/v1/members/{owner.public_id}", json={"role": "viewer"}),
        client.patch(f"/v1/members/{member.public_id}", json={"role": "owner"}),
        client.patch(f"/v1/members/{admin.public_id}", json={"role": "owner"}),
        client.delete(f"/v1/members/{owner.public_id}"),
        client.post("/v1/invitations", json={"emails": ["new@acme.example"], "role": "owner"}),
    ]
    assert [(answer.status_code, answer.json()["code"]) for answer in refused] == [(403, "owner_required")] * 5
    assert roles(client) == before
    assert "new@acme.example" not in client.get("/v1/invitations?limit=200").text
    assert client.patch(f"/v1/members/{member.public_id}", json={"role": "reviewer"}).json()["role"] == "reviewer"


def test_member__removed__keys_go_on_with_a_new_owner(people: People, owner, org) -> None:
    developer, heir = people.member("developer", of=org), people.member("developer", of=org)
    theirs = acting(people, developer, org)
    key = make_key(theirs, scopes=["chat", "memories:read"])
    assert key["owner"] == {"id": developer.public_id, "email": developer.email}
    assert key["created_by"] == f"user:{developer.public_id}"
    client = acting(people, owner, org)
    to_stranger = client.delete(f"/v1/members/{developer.public_id}?hand_over_to={people.person().public_id}")
    assert to_stranger.status_code == 422
    gone = client.delete(f"/v1/members/{developer.public_id}?hand_over_to={heir.public_id}")
    assert gone.json() == {"removed": developer.public_id, "keys_handed_over": 1, "to": heir.public_id}
    eventually(lambda: theirs.get("/v1/me").json().get("code") == "not_a_member", within=1)
    with httpx.Client(base_url=client.base_url, headers={"authorization": f"Bearer {key['secret']}"}) as by_key:
        assert by_key.get("/v1/me").status_code == 200
    eventually(
        lambda: client.get(f"/v1/keys/{key['id']}").json()["owner"] == {"id": heir.public_id, "email": heir.email},
        within=2,
    )
    assert client.get(f"/v1/keys/{key['id']}").json()["created_by"] == f"user:{developer.public_id}"
    assert client.delete(f"/v1/members/{developer.public_id}").json()["code"] == "member_not_found"


def test_member__leaving__hands_keys_to_an_owner(people: People, owner, org) -> None:
    developer = people.member("developer", of=org)
    client = acting(people, developer, org)
    make_key(client, scopes=["chat"])
    left = client.delete(f"/v1/members/{developer.public_id}")
    assert left.json() == {"removed": developer.public_id, "keys_handed_over": 1, "to": owner.public_id}
    with people.client(developer) as own:
        assert own.get("/v1/organizations").json()["data"] == []


def test_member__of_another_organization__is_404(people: People, owner, org) -> None:
    other = people.member("viewer")
    client = acting(people, owner, org)
    for answer in (
        client.patch(f"/v1/members/{other.public_id}", json={"role": "owner"}),
        client.delete(f"/v1/members/{other.public_id}"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "member_not_found")
    with people.client(other, people.acme) as theirs:
        assert theirs.get("/v1/me").json()["role"] == "viewer"


def test_developer__manages_own_keys_within_own_scopes_only(people: People, owner, org) -> None:
    developer = people.member("developer", of=org)
    client = acting(people, developer, org)
    theirs = make_key(acting(people, owner, org))
    mine = make_key(client, scopes=["chat"])
    for refused in (
        client.post(f"/v1/keys/{theirs['id']}/rotate"),
        client.post(f"/v1/keys/{theirs['id']}/end-grace"),
        client.delete(f"/v1/keys/{theirs['id']}"),
    ):
        assert (refused.status_code, refused.json()["code"]) == (403, "key_not_yours")
    for scopes in (None, ["policies:write"], ["keys:write"], ["audit:read"]):
        wide = client.post("/v1/keys", json={"name": "wide", "scopes": scopes})
        assert (wide.status_code, wide.json()["code"]) == (403, "key_too_wide"), scopes
    assert client.post(f"/v1/keys/{mine['id']}/rotate").status_code == 200
    assert client.delete(f"/v1/keys/{mine['id']}").json()["state"] == "revoked"
    still = acting(people, owner, org).get(f"/v1/keys/{theirs['id']}").json()
    assert (still["state"], still["rotated_at"]) == ("active", None)


def test_person__who_lost_scopes__cannot_rotate_a_wide_key_into_their_hands(people: People, owner, org) -> None:
    someone = people.member("admin", of=org)
    client = acting(people, someone, org)
    wide = make_key(client)
    changed = acting(people, owner, org).patch(f"/v1/members/{someone.public_id}", json={"role": "developer"})
    assert changed.status_code == 200
    eventually(lambda: client.get("/v1/me").json()["role"] == "developer", within=1)
    rotated = client.post(f"/v1/keys/{wide['id']}/rotate")
    assert (rotated.status_code, rotated.json()["code"]) == (403, "key_too_wide")
    assert client.delete(f"/v1/keys/{wide['id']}").status_code == 200


def test_log__by_role__shows_all_own_or_decisions(people: People, owner, org) -> None:
    developer, reviewer = people.member("developer", of=org), people.member("reviewer", of=org)
    boss, dev = acting(people, owner, org), acting(people, developer, org)
    make_key(boss)
    make_key(dev, scopes=["chat"])
    everything = boss.get("/v1/audit?limit=200").json()["data"]
    own = dev.get("/v1/audit?limit=200&action=key.created").json()["data"]
    decided = acting(people, reviewer, org).get("/v1/audit?limit=200").json()["data"]
    assert len(everything) > 2
    assert [one["actor"] for one in own] == [{"kind": "user", "id": developer.public_id}]
    assert all(one["action"].startswith(("proposal.", "write.")) for one in decided)
