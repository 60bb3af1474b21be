"""What people do in an installation: sign up, sign in, invite, accept, make keys of their own. For a version that has
people."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import httpx

from tests.harness import eventually
from tests.upgrade.installation import Installation

_PASSWORD = "the boathouse opens at dawn"
_CODE = re.compile(r"^ {4}(\d{6})$", re.M)


def live(old: Installation, organization: Mapping[str, Any]) -> dict[str, Any]:
    """The owner invites two; one signs up, accepts and makes a key, the other has yet to answer."""
    slug = organization["slug"]
    joined, waiting = f"joined@{slug}.example", f"waiting@{slug}.example"
    with httpx.Client(base_url=f"http://127.0.0.1:{old.port}", timeout=30) as client:
        owner = token_of(client, organization["email"], organization["password"], slug)
        links = {address: _invite(client, owner, address) for address in (joined, waiting)}
        session = _sign_up(old, client, joined)
        own = {"authorization": f"Bearer {_ok(client.post('/v1/auth/token', json={}, headers=session))['token']}"}
        _ok(client.post("/v1/invitations/accept", json={"token": links[joined]}, headers=own))
        member = token_of(client, joined, _PASSWORD, slug)
        key = _ok(client.post("/v1/keys", json={"name": "of a member", "scopes": ["chat"]}, headers=member))
    return {
        "member": {"email": joined, "password": _PASSWORD, "role": "developer"},
        "invitation": {"email": waiting, "token": links[waiting], "role": "developer"},
        "key": {"id": key["id"], "secret": key["secret"]},
    }


def token_of(client: httpx.Client, email: str, password: str, slug: str) -> dict[str, str]:
    """Sign in, and the header of a user token for the organization."""
    signed_in = client.post("/_allauth/app/v1/auth/login", json={"email": email, "password": password})
    session = {"x-session-token": _ok(signed_in)["meta"]["session_token"]}
    token = _ok(client.post("/v1/auth/token", json={"organization": slug}, headers=session))["token"]
    return {"authorization": f"Bearer {token}"}


def _invite(client: httpx.Client, owner: dict[str, str], address: str) -> str:
    made = _ok(client.post("/v1/invitations", json={"emails": [address], "role": "developer"}, headers=owner))
    return str(made["data"][0]["url"]).rpartition("/")[2]


def _sign_up(old: Installation, client: httpx.Client, address: str) -> dict[str, str]:
    """A new account whose address is proved by the code in its mail, which without a mail server is in the log."""
    sent = client.post("/_allauth/app/v1/auth/signup", json={"email": address, "password": _PASSWORD})
    assert sent.status_code == 401, sent.text
    session = {"x-session-token": sent.json()["meta"]["session_token"]}

    def code() -> str | None:
        mail = (old.places.logs / "web.log").read_text(errors="replace").rpartition(f"To: {address}")[2]
        found = _CODE.search(mail)
        return found[1] if found else None

    proved = client.post("/_allauth/app/v1/auth/email/verify", json={"key": eventually(code)}, headers=session)
    assert proved.status_code == 200, proved.text
    return {"x-session-token": proved.json()["meta"].get("session_token") or session["x-session-token"]}


def _ok(answer: httpx.Response) -> dict[str, Any]:
    assert answer.is_success, answer.text
    return dict(answer.json())
