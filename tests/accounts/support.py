"""A person in front of the headless API: what they send, what they got, and their mail."""

from __future__ import annotations

import email
import hashlib
import hmac
import itertools
import re
import secrets
import struct
import time
from base64 import b32decode
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from tests.harness import eventually

PASSWORD = "a quiet harbour at noon"
_numbers = itertools.count(secrets.randbelow(1000))


@dataclass
class Accounts:
    """The headless API of one running gateway, and the directory that its mails go to."""

    base_url: str
    mails: Path
    http: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=30))

    def __enter__(self) -> Accounts:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def person(self, email: str = "", **headers: str) -> Person:
        """Somebody with an address that nobody had before."""
        return Person(self, email or f"member-{secrets.token_hex(6)}@acme.example", dict(headers))

    def member(self, **headers: str) -> Person:
        """Somebody whose account exists and whose address is proved, signed in."""
        person = self.person(**headers)
        person.sign_up()
        assert person.post("auth/email/verify", key=person.code()).status_code == 200
        return person

    def mails_to(self, address: str) -> list[Message]:
        """Oldest first."""
        texts = [text for path in sorted(self.mails.glob("*.log")) for text in path.read_text().split("-" * 79)]
        found = [email.message_from_string(text.strip()) for text in texts if text.strip()]
        mine = [mail for mail in found if mail["To"] == address]
        return sorted(mine, key=lambda mail: mail["Message-ID"])

    def last_mail(self, address: str, subject: str = "") -> Message:
        return eventually(
            lambda: next((m for m in reversed(self.mails_to(address)) if subject in m["Subject"]), None), within=5
        )


@dataclass
class Person:
    """One browser or app: it keeps the session token that answers give it."""

    accounts: Accounts
    email: str
    headers: dict[str, str] = field(default_factory=dict)
    token: str | None = None
    password: str = PASSWORD

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        sent = {name.replace("_", "-"): value for name, value in {**self.headers, **headers}.items()}
        if self.token:
            sent["X-Session-Token"] = self.token
        url = f"{self.accounts.base_url}/_allauth/app/v1/{path}"
        response = self.accounts.http.request(method, url, json=body, headers=sent)
        given = response.json().get("meta", {}).get("session_token") if response.content else None
        self.token = given or self.token
        return response

    def get(self, path: str) -> httpx.Response:
        return self.call("GET", path)

    def post(self, path: str, **body: Any) -> httpx.Response:
        return self.call("POST", path, body)

    def elsewhere(self, **headers: str) -> Person:
        """The same person with another browser."""
        return Person(self.accounts, self.email, {**self.headers, **headers}, password=self.password)

    def sign_up(self, **more: str) -> httpx.Response:
        return self.post("auth/signup", email=self.email, password=self.password, **more)

    def sign_in(self, password: str = "") -> httpx.Response:
        self.token = None
        return self.post("auth/login", email=self.email, password=password or self.password)

    def reauthenticate(self) -> None:
        assert self.post("auth/reauthenticate", password=self.password).status_code == 200

    def signed_in(self) -> bool:
        return self.get("auth/session").status_code == 200

    def code(self) -> str:
        found = re.search(r"^ {4}(\d{6})$", self._text("is your Ikiro code"), re.M)
        assert found
        return found[1]

    def link_key(self, subject: str = "is your Ikiro code") -> str:
        found = re.search(r"^http\S+$", self._text(subject), re.M)
        assert found
        return parse_qs(urlsplit(found[0]).query)["key"][0]

    def _text(self, subject: str) -> str:
        return str(self.accounts.last_mail(self.email, subject).get_payload())


def codes(response: httpx.Response) -> list[str]:
    return [error["code"] for error in response.json().get("errors", [])]


def pending(response: httpx.Response) -> str | None:
    return next((flow["id"] for flow in response.json()["data"]["flows"] if flow.get("is_pending")), None)


def totp(secret: str, *, step: int = 0) -> str:
    """The code of the present time step, or of one before or after it (RFC 6238)."""
    counter = struct.pack(">Q", int(time.time()) // 30 + step)
    digest = hmac.new(b32decode(secret), counter, hashlib.sha1).digest()
    at = digest[-1] & 15
    return f"{(int.from_bytes(digest[at : at + 4]) & 0x7FFFFFFF) % 10**6:06}"


def address() -> str:
    """A network address that no other test uses."""
    number = next(_numbers)
    return f"198.51.{number // 250 % 250}.{1 + number % 250}"
