"""Targets: their secrets stay sealed and move with the key ring, and policy decides which of them may be written to."""

from __future__ import annotations

import base64
from uuid import UUID

import pytest
from django.conf import settings as configured

from gateway.core.crypto import Secret, Unreadable
from gateway.governance.policies import services as policies
from gateway.governance.policies.merge import merge
from gateway.governance.policies.types import Fields, Level, Overlay
from gateway.governance.proposals import selectors, services, signing, targets, tasks
from gateway.governance.proposals.errors import InvalidTarget, UnknownTarget
from gateway.governance.proposals.models import TargetRow
from gateway.governance.proposals.services import targets as writing
from gateway.governance.proposals.targets import Kind
from gateway.governance.proposals.types import State
from tenants.context import scope
from tests.governance.proposals.outside import receiving
from tests.governance.proposals.support import CHAT, OWNER, draft, notes, trail

PASSWORD = "correct horse battery"
URL = "https://dav.example.org/ana/team/"


def put(ref, name="work", **changes):
    given = {"kind": Kind.CALDAV, "url": URL, "username": "ana", "secret": Secret(PASSWORD), **changes}
    with scope(ref):
        return writing.put(name, actor=OWNER, **given)


def test_put__a_password__is_sealed_for_this_row_and_left_out_of_the_trail(acme, globex):
    put(acme)
    with scope(acme):
        row = TargetRow.objects.get()
        assert PASSWORD.encode() not in bytes(row.secret_ciphertext)
        assert targets.get("work").secret().reveal() == PASSWORD
        TargetRow(
            name="copy", kind="caldav", url=URL, secret_ciphertext=row.secret_ciphertext, secret_kid=row.secret_kid,
            updated_by="x",
        ).save()  # fmt: skip
        with pytest.raises(Unreadable):
            targets.get("copy").secret()
        assert PASSWORD not in repr(targets.get("work"))
    assert trail(acme)[0] == ["write_target.created"]
    with scope(globex), pytest.raises(UnknownTarget):
        targets.get("work")


@pytest.mark.parametrize("changes", [{"url": URL + "x/"}, {"username": "ben"}, {"kind": Kind.WEBHOOK, "username": ""}])
def test_put__elsewhere_without_its_secret__sends_the_old_one_nowhere(acme, changes):
    put(acme)
    if changes.get("kind") is Kind.WEBHOOK:
        _, made = put(acme, secret=None, **changes)
        assert made.reveal() != PASSWORD
        return
    with pytest.raises(InvalidTarget) as refused:
        put(acme, secret=None, **changes)
    assert refused.value.problems[0].pointer == "#/password"
    with scope(acme):
        assert (targets.get("work").url, targets.get("work").username) == (URL, "ana")
    assert put(acme, secret=None)[1] is None  # the same place keeps its password


def test_reseal__another_key_is_active__moves_every_secret_and_loses_none(acme, globex, monkeypatch):
    for name in ("a", "b", "c"):
        put(acme, name)
    put(globex, "a")
    before = configured.IKIRO_KEYRING
    ring = {**before["keys"], "next": base64.b64encode(b"n" * 32).decode()}
    monkeypatch.setattr(configured, "IKIRO_KEYRING", {"active": "next", "keys": ring})
    with scope(acme):
        first = services.reseal(limit=2)
        assert (first.changed, first.unreadable) == (2, ())
        assert services.reseal(limit=2, after=first.last).last is None
        assert set(TargetRow.objects.values_list("secret_kid", flat=True)) == {"next"}
        assert [one.secret().reveal() for one in targets.every()] == [PASSWORD] * 3
    with scope(globex):
        assert TargetRow.objects.get().secret_kid == before["active"]
    monkeypatch.setattr(configured, "IKIRO_KEYRING", {"active": "next", "keys": {"next": ring["next"]}})
    with scope(globex):
        lost = services.reseal(limit=9)
        assert (lost.changed, lost.unreadable) == (0, ("write target a",))


def test_secret__made_by_us__is_in_the_standards_form():
    first, second = signing.new_secret().reveal(), signing.new_secret().reveal()
    assert first != second
    assert signing.is_secret(first)
    assert len(base64.b64decode(first.removeprefix("whsec_"))) == 32
    assert [signing.is_secret(text) for text in ("whsec_", "whsec_!!", "secret", "whsec_c2hvcnQ=")] == [False] * 4


def only(*globs):
    return merge([Overlay(Level.ORG, "", Fields(write_targets=globs), Fields())])


def call(target):
    return draft(
        type="webhook.call", payload={"target": target, "data": {}} if target else {"data": {}}, subject_pk=UUID(int=7)
    )


@pytest.mark.parametrize(
    ("globs", "target", "allowed"),
    [
        (("webhook.call:crm",), "crm", True),
        (("webhook.call:crm",), None, True),
        (("webhook.call:erp",), "crm", False),
        (("memory.*",), "crm", False),
        (("webhook.*",), "crm", True),
    ],
)
def test_create__under_a_policy__only_its_targets_become_proposals(acme, globs, target, allowed):
    put(acme, "crm", kind=Kind.WEBHOOK, url="https://crm.example.org/", username="", secret=None)
    with scope(acme):
        made, rejected = services.create([call(target)], actor=CHAT, policy=only(*globs))
    assert (len(made), [one.problems[0].code for one in rejected]) == ((1, []) if allowed else (0, ["policy_refused"]))


def test_carry_out__the_policy_changed_meanwhile__fails_and_calls_nobody(acme, globex, settings):
    settings.IKIRO_EGRESS_ALLOW = "127.0.0.1"
    with receiving() as receiver:
        for ref in (acme, globex):
            put(ref, "crm", kind=Kind.WEBHOOK, url=receiver.url, username="", secret=None)
        with scope(acme):
            (proposal,), _ = services.create([call("crm")], actor=CHAT)
            services.approve(proposal.id, actor=OWNER)
            policies.put_overlay(locks=Fields(write_targets=("memory.*",)), defaults=Fields(), actor=OWNER)
            tasks.execute.work(acme, str(proposal.id))
            failed = selectors.get(proposal.id)
        assert (failed.state, failed.error["code"]) == (State.FAILED, "policy_refused")
        assert (receiver.deliveries, notes(acme)) == ([], [])
        with scope(globex):
            (proposal,), _ = services.create([call("crm")], actor=CHAT)
            services.approve(proposal.id, actor=OWNER)
            tasks.execute.work(globex, str(proposal.id))
            assert selectors.get(proposal.id).state is State.EXECUTED
        assert len(receiver.deliveries) == 1
