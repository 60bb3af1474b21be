"""User tokens: traded for a session, refused when they are not ours, and ended by whatever ends the person's access."""

from __future__ import annotations

import base64
import json
import time
from datetime import timedelta
from importlib import import_module
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings

from gateway.core import clock
from gateway.core.journal import OPERATOR
from tenants import services, usertokens
from tenants.models import User
from tenants.people import members
from tenants.people.sessions import session_ended
from tests.factories.organizations import new_organization
from tests.factories.people import PASSWORD, People, account_of, member, sign_in, user_token
from tests.harness import Gateway, eventually


def trade(gateway: Gateway, session: str, organization: str | None = None) -> httpx.Response:
    return httpx.post(
        f"{gateway.base_url}/v1/auth/token", json={"organization": organization}, headers={"x-session-token": session}
    )


def asked(gateway: Gateway, token: str, path: str = "/v1/me") -> tuple[int, str | None]:
    answer = httpx.get(gateway.base_url + path, headers={"authorization": f"Bearer {token}"})
    return answer.status_code, answer.json().get("code")


def test_session__traded_for_an_organization__calls_as_that_person(gateway: Gateway, people: People) -> None:
    developer = people.member("developer")
    answer = trade(gateway, sign_in(developer), "acme")
    assert answer.status_code == 200, answer.text
    traded = answer.json()
    assert (traded["token_type"], traded["expires_in"]) == ("Bearer", 300)
    assert traded["user"] == {"id": developer.public_id, "email": developer.email, "name": "Developer"}
    assert traded["organization"]["slug"] == "acme"
    assert traded["organization"]["role"] == "developer"
    claims = jwt.decode(traded["token"], options={"verify_signature": False})
    assert (claims["iss"], claims["aud"], claims["sub"]) == ("ikiro", "gateway", developer.public_id)
    assert (claims["org"], claims["role"], claims["amr"]) == (people.acme.public_id, "developer", ["pwd"])
    assert claims["exp"] - claims["iat"] == pytest.approx(300)
    me = people.with_token(traded["token"]).get("/v1/me").json()
    assert me["organization"]["slug"] == "acme"
    assert (me["key"], me["role"], me["user"]["id"]) == (None, "developer", developer.public_id)


def test_session__traded_often__is_one_line_in_the_log(gateway: Gateway, people: People) -> None:
    owner = people.member("owner")
    session = sign_in(owner)
    tokens = [trade(gateway, session, "acme").json()["token"] for _ in range(3)]
    assert trade(gateway, sign_in(owner), "acme").status_code == 200
    with people.with_token(tokens[-1]) as client:
        log = client.get(f"/v1/audit?action=member.signed_in&actor={owner.public_id}").json()["data"]
        row = next(one for one in client.get("/v1/members?limit=200").json()["data"] if one["email"] == owner.email)
    assert len(log) == 2
    assert log[0]["detail"] == {"role": "owner", "amr": ["pwd"]}
    assert row["last_seen_at"] is not None


def test_session__bearer_and_no_organization__is_for_ones_own_affairs(gateway: Gateway, people: People) -> None:
    stranger = people.person()
    answer = httpx.post(f"{gateway.base_url}/v1/auth/token", headers={"authorization": f"Bearer {sign_in(stranger)}"})
    assert answer.json()["organization"] is None
    token = answer.json()["token"]
    assert asked(gateway, token, "/v1/account") == (200, None)
    assert asked(gateway, token, "/v1/organizations") == (200, None)
    assert asked(gateway, token) == (403, "organization_required")


@pytest.mark.parametrize("session", ["", "x", "0" * 32, "a\x00b", "k" * 5_000, "' OR 1=1 --"])
def test_session__that_is_none__is_401(gateway: Gateway, people: People, session: str) -> None:
    if "\0" in session:
        session = session.replace("\0", "%00")
    answer = trade(gateway, session, "acme")
    assert (answer.status_code, answer.json()["code"]) == (401, "session_invalid")


def test_session__of_somebody_not_fully_signed_in__is_401(gateway: Gateway, people: People) -> None:
    pending = import_module(settings.SESSION_ENGINE).SessionStore()
    pending["account_login"] = {"user_pk": str(people.person().id)}
    pending.create()
    answer = trade(gateway, pending.session_key, None)
    assert (answer.status_code, answer.json()["code"]) == (401, "session_invalid")


def test_organization__of_others__looks_like_one_that_is_not_there(gateway: Gateway, people: People) -> None:
    session = sign_in(people.member("owner"))
    other, nothing = trade(gateway, session, "globex"), trade(gateway, session, "no-such-organization")
    assert (other.status_code, other.json()["code"]) == (404, "organization_not_found")
    assert nothing.json()["detail"].replace("no-such-organization", "globex") == other.json()["detail"]


def _forged(token: str, people: People) -> dict[str, str]:
    head, body, signature = token.split(".")
    claims = jwt.decode(token, options={"verify_signature": False})
    kid = settings.IKIRO_KEYRING["active"]
    stranger = Ed25519PrivateKey.generate()

    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    def signed(changed: dict[str, Any], key: Any = None, **headers: Any) -> str:
        return jwt.encode(changed, key or usertokens._private_key(kid), "EdDSA", headers={"kid": kid, **headers})

    public = usertokens._public_key(kid).public_bytes_raw()
    return {
        "no signature": f"{head}.{body}.",
        "alg none": f"{part({'alg': 'none', 'typ': 'JWT', 'kid': kid})}.{body}.",
        "public key as HMAC secret": jwt.encode(claims, public.hex() * 2, "HS256", headers={"kid": kid}),
        "another key": signed(claims, stranger),
        "unknown kid": signed(claims, kid="k-unknown"),
        "kid is no text": f"{part({'alg': 'EdDSA', 'kid': ['x']})}.{body}.{signature}",
        "changed claims": f"{head}.{part({**claims, 'org': people.globex.public_id})}.{signature}",
        "another issuer": signed({**claims, "iss": "somebody"}),
        "another audience": signed({**claims, "aud": "elsewhere"}),
        "no session": signed({name: value for name, value in claims.items() if name != "sid"}),
        "subject is none": signed({**claims, "sub": "key_x"}),
        "from the future": signed({**claims, "iat": claims["iat"] + 3600}),
        "too long": token + "A" * 3_000,
        "not a token": "eyJ",
    }


def test_token__that_we_did_not_make__is_401_whatever_is_wrong(gateway: Gateway, people: People) -> None:
    owner = people.member("owner")
    token = user_token(owner, people.acme)
    assert asked(gateway, token) == (200, None)
    for what, forged in _forged(token, people).items():
        assert asked(gateway, forged) == (401, "token_invalid"), what
        assert asked(gateway, forged, "/v1/account") == (401, "token_invalid"), what


def test_token__past_its_end__is_401(gateway: Gateway, people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = people.member("owner")
    with monkeypatch.context() as patch:
        then = clock.now() - timedelta(seconds=usertokens.LIFETIME_S + 1)
        patch.setattr(clock, "now", lambda: then)
        old = user_token(owner, people.acme)
    assert asked(gateway, old) == (401, "token_expired")


def test_token__signed_by_an_older_key_of_the_ring__still_verifies(
    people: People, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = people.member("owner")
    old = user_token(owner, people.acme)
    ring = settings.IKIRO_KEYRING
    secret = base64.b64encode(b"n" * 32).decode()
    settings.IKIRO_KEYRING = {"active": "new", "keys": {**ring["keys"], "new": secret}}
    new = user_token(owner, people.acme)
    assert jwt.get_unverified_header(new)["kid"] == "new"
    assert usertokens.verify(old).user_id == usertokens.verify(new).user_id == owner.id


def test_token__for_another_organization__opens_nothing_there(gateway: Gateway, people: People) -> None:
    owner = people.member("owner")
    token = user_token(owner, people.globex)
    assert asked(gateway, token) == (403, "not_a_member")
    assert asked(gateway, token, "/v1/members") == (403, "not_a_member")


def test_session__ended__takes_its_tokens_along_within_a_second(gateway: Gateway, people: People) -> None:
    owner = people.member("owner")
    session, other = sign_in(owner), sign_in(owner)
    token, kept = (trade(gateway, one, "acme").json()["token"] for one in (session, other))
    assert asked(gateway, token) == (200, None)
    ended = time.monotonic()
    session_ended(session)
    eventually(lambda: asked(gateway, token) == (401, "session_ended"), within=1, every=0.02)
    assert time.monotonic() - ended < 1
    assert asked(gateway, kept) == (200, None)


def test_role__changed_or_removed__counts_within_a_second(gateway: Gateway, people: People) -> None:
    boss, someone = people.member("owner"), people.member("developer")
    token = user_token(someone, people.acme)
    assert asked(gateway, token, "/v1/memories?subject_id=x") == (200, None)
    with people.client(boss, people.acme) as client:
        assert client.patch(f"/v1/members/{someone.public_id}", json={"role": "viewer"}).status_code == 200
        eventually(lambda: asked(gateway, token, "/v1/memories") == (403, "scope_missing"), within=1, every=0.02)
        assert client.delete(f"/v1/members/{someone.public_id}").status_code == 200
    eventually(lambda: asked(gateway, token) == (403, "not_a_member"), within=1, every=0.02)
    members.join(people.acme, someone.id, "viewer")
    eventually(lambda: asked(gateway, token) == (200, None), within=1, every=0.02)


def test_account__deactivated_or_with_a_new_password__is_refused_within_a_second(
    gateway: Gateway, people: People
) -> None:
    first, second = people.member("owner"), people.member("owner")
    tokens = [user_token(one, people.acme) for one in (first, second)]
    assert [asked(gateway, token) for token in tokens] == [(200, None)] * 2
    user = User.objects.get(pk=first.id)
    user.is_active = False
    user.save(update_fields=["is_active"])
    changed = User.objects.get(pk=second.id)
    changed.tokens_valid_after = clock.now()
    changed.save(update_fields=["tokens_valid_after"])
    eventually(lambda: asked(gateway, tokens[0]) == (401, "account_inactive"), within=1, every=0.02)
    eventually(lambda: asked(gateway, tokens[1]) == (401, "session_ended"), within=1, every=0.02)
    assert asked(gateway, user_token(second, people.acme)) == (200, None)


def test_organization__suspended__refuses_its_people_and_not_their_own_affairs(
    gateway: Gateway, people: People
) -> None:
    ref = new_organization("suspended")
    services.flags_set(ref, {"enable_gateway_api": True}, actor=OPERATOR)
    owner = member(ref, "owner")
    token = user_token(owner, ref)
    assert asked(gateway, token) == (200, None)
    services.suspend(ref, actor=OPERATOR)
    eventually(lambda: asked(gateway, token) == (403, "org_suspended"), within=1, every=0.02)
    assert asked(gateway, token, "/v1/organizations") == (200, None)


def test_scope__a_person_lacks__names_the_role_and_who_can_help(gateway: Gateway, people: People) -> None:
    viewer = people.member("viewer")
    with people.client(viewer, people.acme) as client:
        refused = client.post("/v1/keys", json={"name": "x"})
    said = refused.json()
    assert (refused.status_code, said["code"]) == (403, "scope_missing")
    assert (said["role"], said["scope"]) == ("viewer", "keys:write")
    assert said["detail"] == "Your role, viewer, lacks keys:write. Ask an admin or an owner."


def test_key__on_a_persons_own_affairs__is_refused(gateway: Gateway) -> None:
    with gateway.acme.client() as client:
        refused = client.get("/v1/organizations")
        invited = client.post("/v1/invitations", json={"emails": ["by-a-key@acme.example"], "role": "viewer"})
        assert "by-a-key@acme.example" not in client.get("/v1/invitations?limit=200").text
    assert (refused.status_code, refused.json()["code"]) == (403, "user_token_required")
    assert (invited.status_code, invited.json()["code"]) == (403, "user_token_required")


def test_account_factory__makes_an_account_that_signs_in(people: People) -> None:
    someone = people.person()
    assert User.objects.get(pk=someone.id).check_password(PASSWORD)
    assert account_of(someone).person.email == someone.email
