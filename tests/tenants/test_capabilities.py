"""Capability tokens at the door: never wider than their key, ended with it, and nobody else can make one."""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from gateway.core import clock, ids
from gateway.core.errors import GatewayError, NotFound
from gateway.core.journal import Actor
from tenants import authentication, capabilities, keys, restrictions, selectors, tokenends, usertokens
from tenants.context import scope
from tenants.directory import Directory
from tenants.tokenstate import TokenChanges
from tenants.types import ApiKey, OrgRef, Principal
from tests.tenants.conftest import NOON

BOSS = Actor("operator", "test")
FOR = {"persona_id": "iris", "subject_id": "ada"}


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch):
    """``door(token)``: the principal, or the code of the refusal; on the directory as the database has it now."""

    def knock(token: str) -> Principal | str:
        snapshot = Directory()
        changes = selectors.directory_since(-1)
        snapshot._organizations = {one.ref.id: one for one in changes.organizations}
        snapshot._keys = {one.public: one for one in changes.keys}
        snapshot.tokens.take(changes.tokens, (), changes.keys)
        snapshot.version = changes.version
        monkeypatch.setattr(authentication, "directory", snapshot)
        try:
            return asyncio.run(authentication.authenticate(token))
        except GatewayError as error:
            return error.code

    return knock


def make(ref: OrgRef, **limits: Any) -> ApiKey:
    with scope(ref):
        return keys.create(name="test", mode="live", actor=BOSS, **limits).key


def test_token__of_a_key__acts_for_one_persona_and_one_subject_of_its_organization(acme, globex, at, door) -> None:
    mine, theirs = make(acme), make(globex)
    for key, slug in ((mine, "unit-acme"), (theirs, "unit-globex")):
        token, claims = capabilities.mint(key, **FOR, scopes=["chat", "memories:read"], budget_micros=5_000)
        found = door(token)
        assert isinstance(found, Principal)
        assert found.organization.slug == slug
        assert (found.key.id, found.grant.kind, found.grant.public_id) == (
            key.id,
            "token",
            ids.public("tok", claims.id),
        )
        assert str(found.actor) == f"token:{found.grant.public_id}"
        assert (found.grant.persona_ids, found.grant.subject_ids) == (("iris",), ("ada",))
        assert set(found.grant.scopes) == {"chat", "memories:read"}
        assert found.token.budget_micros == 5_000
        assert not found.may_use_subject("grace")
        assert not found.may_use_persona("brand-default")


def test_token__at_its_end__is_over_to_the_moment_and_never_outlives_its_key(acme, at, door) -> None:
    key = make(acme)
    token, claims = capabilities.mint(key, **FOR, lifetime_s=60)
    forever, longest = capabilities.mint(key, **FOR, lifetime_s=10**6)
    assert claims.expires_at == NOON + timedelta(seconds=60)
    assert longest.expires_at == NOON + timedelta(seconds=900)
    _, short = capabilities.mint(make(acme, expires_at=NOON + timedelta(seconds=5)), **FOR)
    assert short.expires_at == NOON + timedelta(seconds=5)
    at(NOON + timedelta(seconds=60) - timedelta(milliseconds=1))
    assert isinstance(door(token), Principal)
    at(NOON + timedelta(seconds=60))
    assert door(token) == "token_expired"
    assert isinstance(door(forever), Principal)


def test_token__whose_key_is_revoked_or_expired__ends_with_it(acme, globex, at, door) -> None:
    key, short = make(acme), make(acme, expires_at=NOON + timedelta(minutes=5))
    token, _ = capabilities.mint(key, **FOR)
    of_short, _ = capabilities.mint(short, **FOR)
    other, _ = capabilities.mint(make(globex), **FOR)
    with scope(acme):
        keys.revoke(key.id, actor=BOSS)
        keys.change(short.id, {"expires_at": NOON + timedelta(minutes=1)}, actor=BOSS)
    assert door(token) == "key_revoked"
    at(NOON + timedelta(minutes=1))
    assert door(of_short) == "key_expired"
    assert isinstance(door(other), Principal)


def test_tokens__all_of_a_key_ended__those_before_are_refused_and_later_ones_work(acme, globex, at, door) -> None:
    key = make(acme)
    before, _ = capabilities.mint(key, **FOR)
    bystander, _ = capabilities.mint(make(acme), **FOR)
    with scope(globex), pytest.raises(NotFound):
        tokenends.end_all(key.id, actor=BOSS)
    assert isinstance(door(before), Principal)
    with scope(acme):
        key = tokenends.end_all(key.id, actor=BOSS)
    after, _ = capabilities.mint(key, **FOR)
    assert door(before) == "token_ended"
    assert isinstance(door(after), Principal)
    assert isinstance(door(bystander), Principal)


def test_token__ended_by_its_id__is_refused_and_another_organization_cannot_end_it(acme, globex, door) -> None:
    key = make(acme)
    one, said = capabilities.mint(key, **FOR)
    two, _ = capabilities.mint(key, **FOR)
    with scope(globex):
        tokenends.end(said.id, actor=BOSS)
    assert isinstance(door(one), Principal)
    with scope(acme):
        ended = tokenends.end(said.id, actor=BOSS)
        version = selectors.directory_version()
        assert tokenends.end(said.id, actor=BOSS) == ended
    assert selectors.directory_version() == version
    assert door(one) == "token_ended"
    assert isinstance(door(two), Principal)


def test_token_id__of_another_time__needs_no_row(acme, at) -> None:
    at(datetime.now(UTC))
    version = selectors.directory_version()
    now_ms = int(clock.now().timestamp() * 1000)
    with scope(acme):
        tokenends.end(ids.uuid7_at(now_ms - 3_600_000, 1), actor=BOSS)
        with pytest.raises(NotFound):
            tokenends.end(ids.uuid7_at(now_ms + 3_600_000, 1), actor=BOSS)
    assert selectors.directory_version() == version


def test_token__whose_key_was_narrowed_afterwards__may_do_no_more_than_the_key(acme, at, door) -> None:
    key = make(acme)
    token, _ = capabilities.mint(
        key, **FOR, scopes=["chat", "memories:read"], models=["a/x", "b/y"], origins=["https://a.b"]
    )
    changes = {"scopes": ["memories:read"], "models": ["a/*"], "origins": [], "persona_ids": ["other"]}
    with scope(acme):
        keys.change(key.id, changes, actor=BOSS)
    grant = door(token).grant
    assert (grant.scopes, grant.models, grant.origins) == (("memories:read",), ("a/x",), ())
    assert grant.persona_ids == ()
    assert grant.subject_ids == ("ada",)


_NAMES = st.sampled_from(["a", "b", "c", "iris", "ada"])
_LIST = st.none() | st.lists(_NAMES, max_size=3)
_SCOPES = st.lists(st.sampled_from([*capabilities.SCOPES, "keys:write", "tokens:write", "audit:read"]), max_size=5)
_KEY = ApiKey(
    id=ids.uuid7(), org_id=ids.uuid7(), public="0" * 16, name="x", mode="live", persona_ids=None, subject_ids=None,
    memory_scopes=None, scopes=None, expires_at=None, revoked_at=None, rotated_at=None, previous_valid_until=None,
    last_used_at=None, created_at=NOON, created_by="x", version=1, secret_sha256=b"",
)  # fmt: skip


def _tuple(values: list[str] | None) -> tuple[str, ...] | None:
    return None if values is None else tuple(values)


@given(_LIST, _LIST, _LIST, _LIST, st.none() | _SCOPES, _NAMES, _NAMES, _LIST, _LIST, _LIST, _SCOPES)
def test_token__whatever_it_was_made_with__is_never_wider_than_its_key(
    personas, subjects, memory, models, key_scopes, persona, subject, own_memory, own_models, origins, scopes
) -> None:
    key = replace(
        _KEY, persona_ids=_tuple(personas), subject_ids=_tuple(subjects), memory_scopes=_tuple(memory),
        models=_tuple(models), scopes=_tuple(key_scopes), origins=_tuple(origins),
    )  # fmt: skip
    token, claims = capabilities.mint(
        key, persona_id=persona, subject_id=subject, scopes=scopes, memory_scopes=own_memory, models=own_models
    )
    assert capabilities.genuine(token) == claims
    grant = capabilities.cut_to(claims, key)
    for name in ("persona_ids", "subject_ids", "memory_scopes", "models", "scopes", "origins"):
        assert not restrictions.wider(name, getattr(grant, name), getattr(key, name)), name
    assert set(grant.scopes) <= set(scopes) & set(capabilities.SCOPES)
    assert set(grant.persona_ids) <= {persona}
    assert set(grant.subject_ids) <= {subject}
    assert claims.expires_at - claims.issued_at <= timedelta(seconds=900)


def _parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    return jwt.get_unverified_header(token), jwt.decode(token, options={"verify_signature": False})


def _unsigned(header: dict[str, Any], claims: dict[str, Any], signature: str = "") -> str:
    parts = [base64.urlsafe_b64encode(json.dumps(one).encode()).rstrip(b"=").decode() for one in (header, claims)]
    return ".".join([*parts, signature])


def test_token__made_or_changed_by_anybody_else__is_refused(acme, door, settings) -> None:
    key = make(acme)
    token, _ = capabilities.mint(key, **FOR)
    header, claims = _parts(token)
    stranger = Ed25519PrivateKey.generate()
    ours = capabilities._private_key(settings.IKIRO_KEYRING["active"])
    of_users = usertokens._private_key(settings.IKIRO_KEYRING["active"])
    signature = token.rpartition(".")[2]

    def signed(by: Any, claims: dict[str, Any] = claims, **headers: Any) -> str:
        return jwt.encode(claims, by, algorithm="EdDSA", headers={**header, **headers})

    assert isinstance(door(signed(ours)), Principal)
    alike = {name: value for name, value in header.items() if name != "alg"}
    forged = {
        "signed by a stranger": signed(stranger),
        "signed as user tokens are": signed(of_users),
        "an unknown key of the ring": signed(ours, kid="another"),
        "no kid": _unsigned({**header, "kid": None}, claims, signature),
        "alg none": _unsigned({**header, "alg": "none"}, claims),
        "alg none, signed": _unsigned({**header, "alg": "none"}, claims, signature),
        "HS256 with the public key": jwt.encode(claims, "0" * 32, algorithm="HS256", headers=alike),
        "a changed claim": _unsigned(header, {**claims, "subject_id": "grace"}, signature),
        "another audience": signed(ours, {**claims, "aud": "gateway"}),
        "another issuer": signed(ours, {**claims, "iss": "somebody"}),
        "no end": signed(ours, {name: value for name, value in claims.items() if name != "exp"}),
        "made in the future": signed(ours, {**claims, "iat": claims["iat"] + 3_600}),
        "no key": signed(ours, {**claims, "key": "1" * 16}),
        "a key of another organization": signed(ours, {**claims, "org": ids.public("org", ids.uuid7())}),
        "another key's id": signed(ours, {**claims, "sub": ids.public("key", ids.uuid7())}),
        "cut short": token[:-3],
        "too long": token + "a" * 20_000,
    }
    assert {name: door(text) for name, text in forged.items()} == dict.fromkeys(forged, "token_invalid")


def test_user_token__and_capability_token__never_pass_for_each_other(acme, door) -> None:
    token, _ = capabilities.mint(make(acme), **FOR)
    person, _ = usertokens.mint(user_id=UUID(int=1), sid="0" * 32)
    assert capabilities.genuine(person) is None
    assert not capabilities.is_one(person)
    with pytest.raises(GatewayError) as refused:
        usertokens.verify(token)
    assert refused.value.code == "token_invalid"


def test_origins__of_tokens__are_answered_for_a_while_and_forgotten(acme, globex, at) -> None:
    snapshot = Directory()

    def load() -> None:
        changes = selectors.directory_since(-1)
        snapshot._keys = {one.public: one for one in changes.keys}
        snapshot.tokens.take(changes.tokens, (), changes.keys)

    asked = ["https://one.example", "https://two.example"]
    assert snapshot.tokens.needs_origins(acme.id, asked) == asked
    with scope(acme):
        tokenends.allow_origins(asked)
    load()
    assert snapshot.tokens.needs_origins(acme.id, asked) == []
    assert snapshot.tokens.needs_origins(globex.id, asked) == asked
    assert [snapshot.may_ask(one) for one in (*asked, "https://three.example")] == [True, True, False]
    at(NOON + timedelta(minutes=61))
    assert snapshot.tokens.needs_origins(acme.id, asked) == asked
    assert snapshot.may_ask(asked[0])
    at(NOON + timedelta(minutes=121))
    assert not snapshot.may_ask(asked[0])
    with scope(acme):
        tokenends.allow_origins(["https://new.example"])
    load()
    assert [snapshot.may_ask(one) for one in (*asked, "https://new.example")] == [False, False, True]


def test_origins__of_keys__are_answered_while_the_key_works(acme, at) -> None:
    key = make(acme, origins=["https://key.example"])
    snapshot = Directory()
    snapshot._keys[key.public] = key
    snapshot.tokens.take(TokenChanges(), (), [key])
    assert snapshot.may_ask("https://key.example")
    revoked = replace(key, revoked_at=NOON)
    snapshot._keys[key.public] = revoked
    snapshot.tokens.take(TokenChanges(), [key], [revoked])
    assert not snapshot.may_ask("https://key.example")
    moved = replace(key, origins=("https://moved.example",))
    snapshot._keys[key.public] = moved
    snapshot.tokens.take(TokenChanges(), [revoked], [moved])
    assert [snapshot.may_ask(f"https://{name}.example") for name in ("key", "moved")] == [False, True]
