"""Organizations that people make themselves, and the end of an account."""

from __future__ import annotations

import secrets
from typing import Any

import httpx
import pytest

from gateway.core import clock
from tenants.models import OrganizationRow, User
from tenants.people.organizations import MAX_CREATED, slug_of
from tests.factories.people import People, sign_in, user_token
from tests.harness import Gateway, eventually


def fresh(name: str = "shop") -> str:
    return f"{name}-{secrets.token_hex(3)}"


def ready(client: httpx.Client, slug: str) -> dict[str, Any]:
    def state() -> dict[str, Any] | None:
        found = client.get(f"/v1/organizations/{slug}").json()
        return found if found["state"] == "ready" else None

    return eventually(state, within=30)


def test_organization__made_by_a_person__is_built_and_answers(gateway: Gateway, people: People) -> None:
    someone = people.person()
    own, slug = people.client(someone), fresh()
    made = own.post("/v1/organizations", json={"name": "A Shop", "slug": slug})
    assert made.status_code == 201, made.text
    assert (made.json()["state"], made.json()["role"], made.json()["plan"]) == ("provisioning", "owner", "free")
    assert [step["name"] for step in made.json()["steps"]] == ["schema", "flags", "default_persona"]
    built = ready(own, slug)
    assert all(step["done"] for step in built["steps"])
    assert built["failure"] is None
    answer = httpx.post(
        f"{gateway.base_url}/v1/auth/token", json={"organization": slug}, headers={"x-session-token": sign_in(someone)}
    )
    with people.with_token(answer.json()["token"]) as client:
        key = client.post("/v1/keys", json={"name": "first"}).json()
        turn = {"model": "ikiro/sandbox", "persona_id": "brand-default", "subject_id": "usr_1",
                "messages": [{"role": "user", "content": "Hello"}]}  # fmt: skip
        chat = client.post("/v1/chat", json=turn)
        assert chat.status_code == 200, chat.text
        row = eventually(lambda: client.get("/v1/requests").json()["data"], within=5)[0]
        log = client.get("/v1/audit?action=organization.created")
    assert (row["key_id"], row["user_id"]) == (None, someone.public_id)
    assert log.json()["code"] == "plan_required"
    with httpx.Client(headers={"authorization": f"Bearer {key['secret']}"}) as by_key:
        assert by_key.get(f"{gateway.base_url}/v1/me").json()["organization"]["slug"] == slug
    others = people.client(people.person())
    assert others.get(f"/v1/organizations/{slug}").json()["code"] == "organization_not_found"
    assert slug not in others.get("/v1/organizations").text


@pytest.mark.parametrize("name", ["Aud 1-415-555-2671 Plumbing", "Ann ann@acme.example"])
def test_organization__with_an_address_in_its_name__is_built_and_its_personas_name_its_id(
    gateway: Gateway, people: People, name: str
) -> None:
    someone = people.person()
    own, slug = people.client(someone), fresh()
    assert own.post("/v1/organizations", json={"name": name, "slug": slug}).status_code == 201
    assert ready(own, slug)["failure"] is None
    session = {"x-session-token": sign_in(someone)}
    token = httpx.post(f"{gateway.base_url}/v1/auth/token", json={"organization": slug}, headers=session).json()
    with people.with_token(token["token"]) as client:
        organization = client.get("/v1/me").json()["organization"]
        default = client.get("/v1/personas/brand-default").json()
        drafted = client.post("/v1/personas", json={"template": "hr", "draft": True}).json()
    assert organization["name"] == name
    assert (default["cartridge"]["owner"]["ownerId"], default["warnings"]) == (organization["id"], [])
    assert (drafted["cartridge"]["owner"]["ownerId"], drafted["findings"]) == (organization["id"], [])


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"slug": "acme"}, 409, "slug_taken"),
        ({"slug": "Nope!"}, 422, "invalid_slug"),
        ({"slug": "a"}, 422, "invalid_slug"),
        ({"slug": "admin"}, 422, "slug_reserved"),
        ({"name": "  "}, 422, "invalid_request"),
    ],
)
def test_organization__with_a_bad_name__is_refused_and_not_made(
    people: People, fields: dict[str, str], status: int, code: str
) -> None:
    own = people.client(people.person())
    before = OrganizationRow.objects.count()
    answer = own.post("/v1/organizations", json={"name": "Shop", **fields})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert own.get("/v1/organizations").json()["data"] == []
    assert OrganizationRow.objects.count() == before


@pytest.mark.parametrize(
    ("name", "slug"),
    [("Ångström & Söhne", "angstrom-sohne"), ("  24/7 Shop ", "shop"), ("x" * 60, "x" * 32)],
)
def test_slug__from_a_name__says_what_the_name_says(name: str, slug: str) -> None:
    assert slug_of(name) == slug


@pytest.mark.parametrize("name", ["日本", "admin", "7", "A"])
def test_slug__from_a_name_that_gives_none__has_an_ending(name: str) -> None:
    assert slug_of(name)[-5] == "-"


def test_organizations__more_than_one_person_may_make__are_refused(people: People) -> None:
    someone = people.person()
    own = people.client(someone)
    for _ in range(MAX_CREATED):
        OrganizationRow.objects.create(
            slug=fresh(), name="x", plan="free", schema_name=f"t_{secrets.token_hex(13)}",
            created_by_user_id=someone.id, state="failed", attempts=5,
        )  # fmt: skip
    try:
        answer = own.post("/v1/organizations", json={"name": "One more"})
        assert (answer.status_code, answer.json()["code"]) == (409, "too_many_organizations")
        assert own.get("/v1/organizations").json()["data"] == []
    finally:
        OrganizationRow.objects.using("owner").filter(created_by_user_id=someone.id).delete()


def test_retry__of_one_that_has_not_failed_or_by_no_owner__is_refused(gateway: Gateway, people: People) -> None:
    owner, viewer = people.member("owner"), people.member("viewer")
    assert people.client(owner).post("/v1/organizations/acme/retry").json()["code"] == "org_not_failed"
    assert people.client(viewer).post("/v1/organizations/acme/retry").json()["code"] == "owner_required"
    assert people.client(owner).post("/v1/organizations/globex/retry").json()["code"] == "organization_not_found"


def test_account__renamed__shows_everywhere(people: People) -> None:
    someone = people.member("viewer")
    own = people.client(someone)
    assert own.patch("/v1/account", json={"name": " New Name "}).json()["name"] == "New Name"
    in_acme = people.client(someone, people.acme)
    eventually(lambda: in_acme.get("/v1/me").json()["user"]["name"] == "New Name", within=1)


def test_account__deletion_without_proof__changes_nothing(people: People) -> None:
    someone = people.person()
    own = people.client(someone)
    wrong = own.request("DELETE", "/v1/account", json={"password": "not the password"})
    stale = own.request("DELETE", "/v1/account")
    assert (wrong.status_code, wrong.json()["code"]) == (403, "password_wrong")
    assert (stale.status_code, stale.json()["code"]) == (403, "reauthentication_required")
    assert User.objects.get(pk=someone.id).is_active
    assert own.get("/v1/account").json()["email"] == someone.email


@pytest.mark.parametrize("proof", ["password", "session"])
def test_account__deleted__is_erased_and_opens_nothing(gateway: Gateway, people: People, proof: str) -> None:
    someone = people.member("developer")
    in_acme = people.client(someone, people.acme)
    key = in_acme.post("/v1/keys", json={"name": "stays", "scopes": ["chat"]}).json()
    session = sign_in(someone)
    token = user_token(someone, at=clock.now()) if proof == "session" else user_token(someone)
    body = {"json": {"password": someone.password}} if proof == "password" else {}
    gone = people.with_token(token).request("DELETE", "/v1/account", **body)
    assert gone.json() == {"deleted": someone.public_id}
    row = User.objects.get(pk=someone.id)
    assert (row.is_active, row.name, row.email) == (False, "", f"{someone.id.hex}@deleted.invalid")
    assert not row.has_usable_password()
    eventually(lambda: in_acme.get("/v1/me").json()["code"] == "account_inactive", within=1)
    traded = httpx.post(f"{gateway.base_url}/v1/auth/token", headers={"x-session-token": session})
    assert traded.json()["code"] == "session_invalid"
    with gateway.acme.client() as client:
        assert client.get(f"/v1/keys/{key['id']}").json()["owner"]["id"] != someone.public_id
        assert someone.email not in client.get("/v1/members?limit=200").text
        log = client.get("/v1/audit?action=member.left").json()["data"][0]
    assert log["target"] == someone.public_id
    with httpx.Client(headers={"authorization": f"Bearer {key['secret']}"}) as by_key:
        assert by_key.get(f"{gateway.base_url}/v1/me").status_code == 200
