"""Sealed values open in their own place alone, survive a new ring key, and a secret shows itself to nobody."""

from __future__ import annotations

import base64
import copy
import json
import logging
import pickle

import msgspec
import pytest
from django.conf import settings

from gateway.core import crypto
from gateway.core.crypto import Secret, Unreadable
from tests.without_django import ensure_settings

ensure_settings()
TEXT = "sk-canary-0123456789"
PLACE = ("org_acme", "row_1", "api_key")


@pytest.fixture(autouse=True)
def ring(monkeypatch):
    keys = {name: base64.b64encode(bytes([at]) * 32).decode() for at, name in enumerate(("old", "new"))}

    def active(kid: str, *present: str) -> None:
        ring = {"active": kid, "keys": {name: keys[name] for name in present or keys}}
        monkeypatch.setattr(settings, "IKIRO_KEYRING", ring, raising=False)

    active("old")
    return active


def test_seal__then_unseal__gives_the_secret_and_names_the_key():
    sealed, kid = crypto.seal(Secret(TEXT), *PLACE)
    assert (kid, crypto.unseal(sealed, kid, *PLACE).reveal()) == ("old", TEXT)
    assert TEXT.encode() not in sealed
    assert crypto.seal(Secret(TEXT), *PLACE)[0] != sealed


@pytest.mark.parametrize(
    "elsewhere",
    [("org_globex", "row_1", "api_key"), ("org_acme", "row_2", "api_key"), ("org_acme", "row_1", "secret"),
     ("org_acmerow_1", "api_key"), ()],
)  # fmt: skip
def test_unseal__in_another_place__is_refused(elsewhere):
    sealed, kid = crypto.seal(Secret(TEXT), *PLACE)
    with pytest.raises(Unreadable):
        crypto.unseal(sealed, kid, *elsewhere)
    with pytest.raises(Unreadable):
        crypto.rewrap(sealed, kid, *elsewhere)


def test_unseal__any_byte_changed__is_refused():
    sealed, kid = crypto.seal(Secret(TEXT), *PLACE)
    for at in range(len(sealed)):
        changed = sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]
        with pytest.raises(Unreadable):
            crypto.unseal(changed, kid, *PLACE)
    for short in (b"", sealed[:40], sealed[:-1]):
        with pytest.raises(Unreadable):
            crypto.unseal(short, kid, *PLACE)


def test_rewrap__for_the_new_key__opens_without_the_old_one(ring):
    sealed, kid = crypto.seal(Secret(TEXT), *PLACE)
    ring("new")
    again, new = crypto.rewrap(sealed, kid, *PLACE)
    ring("new", "new")
    assert (new, crypto.unseal(again, new, *PLACE).reveal()) == ("new", TEXT)
    with pytest.raises(Unreadable, match="'old' is not on"):
        crypto.unseal(sealed, kid, *PLACE)


def test_secret__every_way_to_write_it_down__is_refused_or_says_nothing(caplog):
    secret = Secret(TEXT)
    for attempt in (
        lambda: str(secret),
        lambda: f"{secret}",
        lambda: f"{secret:>4}",
        lambda: json.dumps({"key": secret}),
        lambda: json.dumps({"key": secret}, default=str),
        lambda: msgspec.json.encode(secret),
        lambda: pickle.dumps(secret),
        lambda: copy.deepcopy(secret),
        lambda: {secret: 1},
        lambda: vars(secret),
    ):
        with pytest.raises(TypeError):
            attempt()
    with caplog.at_level(logging.INFO):
        logging.getLogger("test").info("%r and %r", secret, [secret])
    assert TEXT not in repr(secret) + repr({"a": [secret]}) + caplog.text
    assert (secret == Secret(TEXT), secret == Secret("other"), secret == TEXT) == (True, False, False)
