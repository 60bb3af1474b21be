"""``rotate_keyring``: everything moves under the active key, in steps that may be stopped, and nothing else changes."""

from __future__ import annotations

import base64
import contextlib
import io

import pytest
from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import transaction

from gateway.core.crypto import Secret
from gateway.core.journal import OPERATOR
from gateway.platform.providers import selectors, services, snapshots
from gateway.platform.providers.stored import Kind
from tenants import resealing
from tenants.context import scope
from tenants.models import User
from tests.factories.organizations import acme, committed_database, globex, quiet

__all__ = ["acme", "committed_database", "globex", "quiet"]
RING = {name: base64.b64encode(name.encode() * 32).decode() for name in ("a", "b")}


@pytest.fixture
def ring(monkeypatch, request):
    """The installation's own key stays on the ring for what others have sealed, and gets it back in the end."""
    before = settings.IKIRO_KEYRING

    def use(active: str, *present: str) -> None:
        keys = {**before["keys"], **{name: RING[name] for name in present}}
        monkeypatch.setattr(settings, "IKIRO_KEYRING", {"active": active, "keys": keys})

    yield use
    if "acme" in request.fixturenames:  # what was done is committed
        use(before["active"], *RING)
        with contextlib.suppress(CommandError):  # a value whose key a test has lost
            rotate()


def add(ref, *names: str) -> None:
    with scope(ref):
        for name in names:
            services.provider_create(
                name=name, kind=Kind.OPENAI, api_key=Secret(f"sk-{ref.schema}-{name}-0123456789"), actor=OPERATOR
            )


def keys(ref) -> dict[str, tuple[str, str]]:
    """Every credential's key id and, decrypted, its text."""
    with scope(ref):
        found = selectors.configured().providers
        return {one.name: (one.kid, snapshots.entry_of(one).provider.key.reveal()) for one in found}


def rotate(*arguments: str) -> str:
    said = io.StringIO()
    call_command("rotate_keyring", *arguments, stdout=said, stderr=said)
    return said.getvalue()


def resealed(said: str) -> int:
    return int(said.splitlines()[-1].split()[0])


def test_rotate_keyring__two_organizations__re_seals_all_and_is_done_the_second_time(acme, globex, ring):
    ring("a", "a")
    others = resealed(rotate())  # what other tests have left in the database
    names = ["one", "two", "three", "four", "five"]
    add(acme, *names)
    add(globex, *names[:2])
    before = {ref: {name: text for name, (_, text) in keys(ref).items()} for ref in (acme, globex)}
    ring("b", "a", "b")
    with scope(acme):  # somebody stopped it after one batch
        assert services.reseal(limit=2).changed == 2
    assert sorted(kid for kid, _ in keys(acme).values()) == ["a", "a", "a", "b", "b"]
    assert resealed(rotate("--batch", "2")) == 5 + others
    ring("b", "b")  # the old key is gone
    for ref in (acme, globex):
        assert keys(ref) == {name: ("b", text) for name, text in before[ref].items()}
    assert rotate().splitlines()[-1] == "0 re-sealed with b"


def test_rotate_keyring__key_lost__says_which_and_does_the_rest(acme, globex, ring):
    ring("a", "a")
    add(acme, "lost")
    ring("b", "b")
    add(globex, "fine")
    with pytest.raises(CommandError, match="1 could not be read"):
        rotate()
    with scope(acme):
        (lost,) = selectors.configured().providers
        assert (lost.kid, snapshots.entry_of(lost).problem) == (
            "a",
            "The key 'a' is not on this installation's key ring.",
        )
    assert [kid for kid, _ in keys(globex).values()] == ["b"]


def test_seal__row_copied_to_another_organization__does_not_open(acme, globex, ring):
    ring("a", "a")
    add(acme, "mine")
    with scope(acme):
        (stored,) = selectors.configured().providers
        row = selectors.ProviderRow.objects.get()
    with scope(globex), transaction.atomic():
        row.save(force_insert=True)
        (copied,) = selectors.configured().providers
        assert snapshots.entry_of(copied).problem == "A sealed value was changed or belongs elsewhere."
        transaction.set_rollback(True)
    assert copied.ciphertext == stored.ciphertext


def test_reseal__second_factors_and_client_secrets__open_with_the_new_key(db, ring):
    ring("a", "a")
    others, _ = resealing.reseal()  # what other tests have left in the same tables
    user = User.objects.create_user("reseal@acme.example", "a-long-enough-password")
    factor = Authenticator.objects.create(
        user=user, type="totp", data={"secret": get_adapter().encrypt("JBSWY3DP"), "last_step": 7}
    )
    codes = Authenticator.objects.create(
        user=user, type="recovery_codes", data={"seed": get_adapter().encrypt("seed"), "used_mask": 0}
    )
    ring("b", "a", "b")
    assert resealing.reseal() == (others + 2, [])
    ring("b", "b")
    factor.refresh_from_db()
    codes.refresh_from_db()
    assert (get_adapter().decrypt(factor.data["secret"]), factor.data["last_step"]) == ("JBSWY3DP", 7)
    assert get_adapter().decrypt(codes.data["seed"]) == "seed"
    assert resealing.reseal() == (0, [])
