"""Whatever is sent to whichever operation: a refusal in the headless API's shape, never a fault of ours."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.accounts.support import Accounts

OPERATIONS = {
    "auth/signup": ("POST", ("email", "password", "name")),
    "auth/login": ("POST", ("email", "password")),
    "auth/email/verify": ("POST", ("key",)),
    "auth/password/request": ("POST", ("email",)),
    "auth/password/reset": ("POST", ("key", "password")),
    "auth/2fa/authenticate": ("POST", ("code",)),
    "auth/2fa/reauthenticate": ("POST", ("code",)),
    "auth/2fa/trust": ("POST", ("trust",)),
    "auth/reauthenticate": ("POST", ("password",)),
    "auth/webauthn/login": ("POST", ("credential",)),
    "auth/webauthn/authenticate": ("POST", ("credential",)),
    "auth/webauthn/reauthenticate": ("POST", ("credential",)),
    "account/email": ("POST", ("email",)),
    "account/password/change": ("POST", ("current_password", "new_password")),
    "account/authenticators/totp": ("POST", ("code",)),
    "account/authenticators/recovery-codes": ("POST", ()),
    "account/authenticators/webauthn": ("POST", ("name", "credential")),
    "auth/sessions": ("DELETE", ("sessions",)),
}
VALUES: list[Any] = [
    None, 0, -1, 2**70, 1e308, True, "", "\x00", "a\x00@acme.example", "x" * 5000, "\ud800", "é\u202e", [], [None], {},
    {"response": {"userHandle": "AAAA"}, "id": "AA", "rawId": "AA", "type": "public-key"}, [[1]], ["' OR 1=1"],
    "a:b:c", "1-2-3", {"response": {"clientDataJSON": "e30", "attestationObject": "oA"}, "id": "", "rawId": "x"},
]  # fmt: skip


@pytest.mark.parametrize("path", OPERATIONS)
def test_operation__hostile_values__are_refused_and_never_a_fault(accounts: Accounts, path: str) -> None:
    method, names = OPERATIONS[path]
    member = accounts.member()
    if "webauthn" in path:
        member.reauthenticate()
        member.get("account/authenticators/webauthn?passwordless")
    url = f"{accounts.base_url}/_allauth/app/v1/{path}"
    seen = set()
    for value in VALUES:
        body = json.dumps(dict.fromkeys(names, value))  # escaped, so that half a character can be sent too
        for token in ("", member.token):
            headers = {"X-Session-Token": token} if token else {}
            answer = accounts.http.request(method, url, content=body, headers=headers)
            assert answer.status_code < 500, (value, answer.text)
            assert answer.json()["status"] == answer.status_code
            seen.add(answer.status_code)
    assert seen <= {200, 400, 401, 404, 409, 429}


def test_operation__hostile_addresses_and_headers__are_refused(accounts: Accounts) -> None:
    names = ("X-Email-Verification-Key", "X-Password-Reset-Key", "X-Session-Token", "X-Trust-Token", "Cookie")
    for value in ("a:b:c", "%00", "zz-" + "9" * 500, "ikiro_accounts=\xff", "1-2", "W10:x:y"):
        headers = {name: value.encode("latin1") for name in names}
        for path in ("auth/session%00", "auth/session", "auth/password/reset", "auth/email/verify"):
            answer = accounts.http.get(f"{accounts.base_url}/_allauth/app/v1/{path}", headers=headers)
            assert answer.status_code < 500, (path, value, answer.text)
            del headers["X-Session-Token"]  # it alone decides as long as it is there
            answer = accounts.http.get(f"{accounts.base_url}/_allauth/app/v1/{path}", headers=headers)
            assert answer.status_code < 500, (path, value, answer.text)
            headers["X-Session-Token"] = value.encode("latin1")
    for path in ("/accounts/saml/x/acs/", "/accounts/oidc/x/login/", "/accounts/%00", "/accounts/login/"):
        assert accounts.http.post(accounts.base_url + path, data={"SAMLResponse": "x"}).status_code < 500
        assert accounts.http.get(accounts.base_url + path).status_code < 500
