"""Secrets and words planted in real calls, those that fail included, turn up nowhere but where they must.

A place that is allowed to hold something is named here, with the reason.
"""

from __future__ import annotations

import base64
import json
import re
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.factories.people import PASSWORD, People, sign_in, user_token
from tests.harness import eventually
from tests.platform.telemetry.canary import of_database, of_operator, of_store
from tests.platform.telemetry.conftest import Observed

# What was said belongs to its organization: memories, proposals and the events about them, in its own schema.
CONTENT_TABLES = re.compile(r"table t_\w+\.(memory|memory_source|memory_token|proposal|event|gateway_\w+|\w*event\w*)$")
# Answers kept for minutes, for whoever repeats a request or takes up its stream.
CONTENT_KEYS = re.compile(r"key (adm:)?\{s\d\d\}|key (frames|stream|idem|idempotency|answer|cache)")
# The account library finds a session by its token, so the token is what its tables have.
SESSION_TABLES = re.compile(r"table public\.(django_session|usersessions_usersession)$")


@dataclass
class Planted:
    """What must not turn up, by name; and every answer that came, the creating ones left out."""

    secrets: dict[str, str] = field(default_factory=dict)
    content: dict[str, str] = field(default_factory=dict)
    answers: list[tuple[str, str]] = field(default_factory=list)
    public: str = ""

    def new(self, name: str, prefix: str = "") -> str:
        self.secrets[name] = prefix + f"canary{secrets.token_hex(12)}"
        return self.secrets[name]

    def word(self, name: str) -> str:
        self.content[name] = f"xyloph{secrets.token_hex(6)}"
        return self.content[name]

    def answered(self, answer: httpx.Response) -> httpx.Response:
        self.answers.append((f"the answer of {answer.request.url.path} {answer.status_code}", answer.text))
        self.answers.append(("an answer's headers", json.dumps(dict(answer.headers))))
        return answer


def found_in(name: str, secret: str, text: str) -> bool:
    """The secret itself, or as base64 and hexadecimal would show it."""
    raw = secret.encode()
    shapes = {secret, raw.hex(), base64.b64encode(raw).decode().rstrip("=")}
    return any(shape in text for shape in shapes)


def test_secrets__planted_in_real_calls__turn_up_nowhere(observed: Observed, people: People, upstream: Any) -> None:
    planted = Planted()
    _calls_with_a_key(observed, planted, upstream)
    _calls_of_people(observed, planted, people)
    time.sleep(3)  # logs, spans and the ledger arrive a moment later
    places = [*of_operator(observed), *of_database(), *of_store()]
    leaks = [
        f"{name} in {place}"
        for name, secret in planted.secrets.items()
        for place, text in [*places, *planted.answers]
        if found_in(name, secret, text) and not (name == "session token" and SESSION_TABLES.match(place))
    ]
    assert leaks == []
    spread = [
        f"{name} in {place}"
        for name, word in planted.content.items()
        for place, text in places
        if word in text and not CONTENT_TABLES.match(place) and not CONTENT_KEYS.match(place)
    ]
    assert spread == []
    # The search itself works: what must be somewhere was found there.
    assert any(planted.content["message"] in text for place, text in places if CONTENT_TABLES.match(place))
    assert any(planted.public in text for place, text in places if place.endswith(".tenants_api_key"))
    assert any("chat ikiro/sandbox" in text for place, text in places if place == "telemetry")
    assert all(text for place, text in places if place.startswith("the log of") and "web" in place)
    own = {place.split(".")[0] for place, text in places if any(word in text for word in planted.content.values())}
    assert len({place for place in own if place.startswith("table ")}) <= 1  # one organization's schema


def _calls_with_a_key(observed: Observed, planted: Planted, upstream: Any) -> None:
    with observed.org().client() as admin:
        made = admin.post("/v1/keys", json={"name": "canary"}, headers={"idempotency-key": secrets.token_hex(8)})
        assert made.status_code == 201, made.text
        secret = made.json()["secret"]
        planted.public, planted.secrets["API key"] = secret.rsplit("_", 2)[1:]
        provider_key = planted.new("provider key", "sk-")
        name = f"canary-{secrets.token_hex(3)}"
        provider = {"name": name, "kind": "openai", "base_url": upstream.base_url, "api_key": provider_key}
        planted.answered(admin.post("/v1/providers", json=provider)).raise_for_status()
    client = observed.org().client(secret)
    with client:
        eventually(lambda: client.get("/v1/me").status_code == 200, within=5)
        say = planted.word("message")
        turn = {"persona_id": "brand-default", "subject_id": "canary", "model": "ikiro/sandbox"}
        told = [{"role": "user", "content": f"Please remember that my cat is called {say}."}]
        client.post("/v1/chat", json={**turn, "messages": told}).raise_for_status()
        client.post("/v1/chat", json={**turn, "messages": told, "stream": True}).raise_for_status()
        body = {"messages": [{"role": "user", "content": planted.word("passed through")}]}
        for scenario in ("normal", "status,code=500,leak=1", "status,code=401,leak=1", "non-json", "cut", "error-mid"):
            for stream in (False, True):
                model = f"{name}/fake:{scenario}"
                planted.answered(
                    client.post("/v1/chat/completions", json={**body, "model": model, "stream": stream}, timeout=60)
                )
        broken = planted.word("broken JSON")
        planted.answered(client.post("/v1/chat", content=f'{{"messages": "{broken}",'.encode()))
        planted.answered(client.post("/v1/chat", json={**turn, "messages": planted.word("wrong type")}))
        planted.answered(client.post("/v1/memories", json={"subject_id": 7, "text": planted.word("wrong field")}))
        header = planted.new("another's Authorization header")
        planted.answered(client.get("/v1/me", headers={"authorization": f"Bearer {header}"}))
        wrong = f"{secret.rsplit('_', 1)[0]}_{planted.new('wrong secret')}"
        planted.answered(client.get("/v1/me", headers={"authorization": f"Bearer {wrong}"}))
        planted.answered(client.get("/v1/me", headers={"authorization": "Basic " + planted.new("basic credentials")}))
        client.get(f"/v1/requests/{planted.word('in the address')}")


def _calls_of_people(observed: Observed, planted: Planted, people: People) -> None:
    owner = people.member("owner")
    planted.secrets["session token"] = session = sign_in(owner)
    token = user_token(owner, people.acme, session=session)
    planted.secrets["user token"] = token.rsplit(".", 1)[1]
    with httpx.Client(base_url=observed.base_url, timeout=60) as client:
        exchanged = client.post("/v1/auth/token", headers={"x-session-token": session}, json={})
        assert exchanged.status_code < 500
        bearer = {"authorization": f"Bearer {token}"}
        planted.answered(client.get("/v1/me", headers=bearer))
        planted.answered(client.get("/v1/keys/nothing", headers=bearer))
        planted.answered(client.get("/v1/me", headers={"authorization": f"Bearer {token[:-4]}AAAA"}))
        login = {"email": owner.email, "password": planted.new("wrong password")}
        planted.answered(client.post("/_allauth/app/v1/auth/login", json=login))
        planted.secrets["password"] = PASSWORD
        planted.answered(client.post("/_allauth/app/v1/auth/login", json={"email": owner.email, "password": PASSWORD}))
