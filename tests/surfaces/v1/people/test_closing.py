"""The end of an organization over HTTP: asked for, taken back, carried out; the other organization does not notice."""

from __future__ import annotations

import base64
import gzip
import json
import secrets
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from django.db import connections

from gateway.core import clock, ids
from gateway.core.journal import OPERATOR
from gateway.engine.closing import dropping
from gateway.platform.ledger import selectors as ledger
from gateway.platform.receipts import services as receipts
from tenants import keys, selectors, services
from tenants.context import scope
from tenants.models import ApiKeyRow, MembershipRow, OrganizationRow
from tenants.people import members
from tenants.provisioning import removal
from tenants.provisioning import service as provisioning
from tests.factories.people import PASSWORD, People, Someone, person
from tests.harness import Gateway, Org, eventually
from tests.mails import mails_to


class Closing:
    """An organization of its own with an owner, a member and a key."""

    def __init__(self, gateway: Gateway, people: People) -> None:
        self.slug = f"closing-{secrets.token_hex(4)}"
        self.ref = services.organization_create(slug=self.slug, name="Closing", plan="business").ref
        assert provisioning.run(self.ref.id).state == "ready"
        with scope(self.ref):
            secret = keys.create(name="all", mode="live", actor=OPERATOR).secret
        self.org = Org(self.slug, secret, gateway.base_url)
        self.owner: Someone = person("owner")
        members.join(self.ref, self.owner.id, "owner")
        self.second: Someone = person("owner")  # a person may try five times in five minutes
        members.join(self.ref, self.second.id, "owner")
        self.admin: Someone = person("admin")
        members.join(self.ref, self.admin.id, "admin")
        self.people = people

    def by(self, someone: Someone, **options: Any) -> httpx.Client:
        return self.people.client(someone, self.ref, **options)

    def ask(self, client: httpx.Client, **body: Any) -> httpx.Response:
        return client.request("DELETE", "/v1/organization", json={"confirm": self.slug, **body})


@pytest.fixture(scope="module")
def shared(gateway: Gateway, committed_database: None) -> Iterator[Closing]:
    people = People(gateway)
    yield Closing(gateway, people)
    people.close()


def test_close__without_proof_or_by_whoever_is_no_owner__changes_nothing(shared: Closing, gateway: Gateway) -> None:
    owner = shared.by(shared.owner)
    refused = {
        "reauthentication_required": shared.ask(owner),
        "password_wrong": shared.ask(owner, password="guessed"),
        "confirmation_wrong": shared.ask(owner, password=PASSWORD, confirm="acme"),
        "scope_missing": shared.ask(shared.by(shared.admin), password=PASSWORD),
    }
    assert {code: answer.json()["code"] for code, answer in refused.items()} == {code: code for code in refused}
    with shared.org.client() as key:
        assert shared.ask(key).status_code == 403
        assert key.get("/v1/me").status_code == 200
    assert OrganizationRow.objects.get(pk=shared.ref.id).closing_at is None
    assert owner.get("/v1/organization/deletion").json()["state"] == "open"


def test_close__taken_back__keys_are_refused_in_between_on_every_worker(shared: Closing, gateway: Gateway) -> None:
    owner = shared.by(shared.owner, at=clock.now())
    with shared.org.client() as key, gateway.acme.client() as other, gateway.beside() as beside:
        asked = shared.ask(owner)
        assert asked.status_code == 202, asked.text
        assert (asked.json()["state"], asked.json()["export"]) == ("closing", "/v1/organization/export")
        for base in (gateway.base_url, beside.base_url):
            refused = eventually(lambda base=base: _refused(key, base), within=30)
            assert (refused.status_code, refused.json()["code"]) == (403, "organization_closing")
        assert other.get("/v1/me").status_code == 200
        again = shared.ask(owner)
        assert again.json()["closes_at"] == asked.json()["closes_at"]
        for one in (shared.owner, shared.second):
            ((subject, text),) = eventually(lambda one=one: mails_to(gateway, one.email), within=30)
            assert subject == "Closing on Ikiro is to be deleted"
            assert "asked for Closing to be deleted" in text
        shown = owner.get("/v1/organization/deletion").json()
        assert shown["requested_by"] == shared.owner.public_id
        denied = shared.by(shared.admin).post("/v1/organization/cancel-deletion")
        assert denied.json()["code"] in {"owner_required", "scope_missing"}
        cancelled = owner.post("/v1/organization/cancel-deletion")
        assert (cancelled.status_code, cancelled.json()["state"]) == (200, "open")
        eventually(lambda: key.get("/v1/me").status_code == 200, within=30)
        found = eventually(lambda: len(told := mails_to(gateway, shared.second.email)) == 2 and told, within=30)
        assert found[1][0] == "Closing on Ikiro is not deleted"
        assert mails_to(gateway, shared.admin.email) == []
        assert owner.post("/v1/organization/cancel-deletion").json()["code"] == "organization_not_closing"
    assert shared.ref not in removal.due()


def _refused(key: httpx.Client, base: str) -> httpx.Response | None:
    answer = httpx.get(f"{base}/v1/me", headers=dict(key.headers))
    return answer if answer.status_code != 200 else None


def test_export__of_the_organization__holds_its_rows_and_no_secret(shared: Closing, gateway: Gateway) -> None:
    owner = shared.by(shared.owner)
    with shared.org.client() as key:
        made = key.post(
            "/v1/memories",
            json={"subject_id": "usr_1", "text": "the word xylophone", "type": "fact",
                  "provenance": {"source": "chat", "ref": "m1"}, "confidence": 0.9},
        )  # fmt: skip
        assert made.status_code == 201, made.text
        turn = {"model": "ikiro/sandbox", "messages": [{"role": "user", "content": "Hello"}]}
        called = ids.parse(
            "req", key.post("/v1/chat/completions", json=turn).raise_for_status().headers["x-request-id"]
        )
        note = {"name": "Note", "text": "The original, byte by byte."}
        key.post("/v1/documents", json=note).raise_for_status()
        with scope(shared.ref):
            eventually(lambda: ledger.entry(shared.ref.id, called), within=30)
        assert key.post("/v1/organization/export", json={"password": PASSWORD}).status_code == 403
    owner.post("/v1/invitations", json={"emails": ["new@example.org"], "role": "viewer"}).raise_for_status()
    unproved = owner.post("/v1/organization/export", json={})
    assert unproved.json()["code"] == "reauthentication_required"
    started = owner.post("/v1/organization/export", json={"password": PASSWORD}).json()["operation"]["id"]
    path = f"/v1/organization/exports/{started}"
    answer = eventually(lambda: (got := owner.get(path)).status_code != 409 and got, within=60)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/gzip")
    lines = [json.loads(line) for line in gzip.decompress(answer.content).splitlines()]
    assert lines[0]["organization"]["slug"] == shared.slug
    assert {line["email"] for line in lines if line["type"] == "member"} >= {shared.owner.email}
    memories = [line["row"]["body"] for line in lines if line.get("table") == "memory"]
    assert "the word xylophone" in memories
    assert [base64.b64decode(line["row"]["data"]) for line in lines if line.get("table") == "document_part"] == [
        b"The original, byte by byte."
    ]
    chained = [line["row"]["content_hash"] for line in lines if line.get("table") == "audit_entry"]
    assert chained
    assert all(len(bytes.fromhex(one)) == 32 for one in chained)
    assert [line["email"] for line in lines if line["type"] == "invitation"] == ["new@example.org"]
    entries = [line for line in lines if line["type"] == "ledger_entry"]
    assert ids.public("req", called) in {one["request_id"] for one in entries}
    written = {line["table"] for line in lines if line["type"] == "row"}
    assert not written & set(lines[0]["left_out"])
    assert {"usage", "receipts", "secrets"} <= set(lines[0]["left_out"])
    text = gzip.decompress(answer.content).decode()
    assert shared.org.api_key not in text
    assert "_ciphertext" not in text
    foreign = shared.people.client(shared.people.member("owner"), shared.people.acme)
    assert foreign.get(path).json()["code"] == "operation_not_found"


def test_drop__killed_half_way__goes_on_and_leaves_ledger_and_receipt(
    shared: Closing, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = shared.by(shared.second)
    turn = {"model": "ikiro/sandbox", "messages": [{"role": "user", "content": "Hello"}]}
    with shared.org.client() as key:
        called = key.post("/v1/chat/completions", json=turn)
        assert called.status_code == 200, called.text
        request_id = ids.parse("req", called.headers["x-request-id"])
        with scope(shared.ref):
            eventually(lambda: ledger.entry(shared.ref.id, request_id), within=30)
    assert shared.ask(owner, password=PASSWORD).status_code == 202

    def die(*args: Any, **options: Any) -> None:
        raise SystemExit  # as the kill of the process: nothing of ours runs

    with removal.alone(shared.ref), monkeypatch.context() as broken:  # not the scheduler, yet
        broken.setattr(dropping.receipts, "issue", die)
        OrganizationRow.objects.filter(pk=shared.ref.id).update(closes_at=clock.now() - timedelta(seconds=1))
        with pytest.raises(SystemExit):
            dropping.drop(shared.ref)
        assert not _has_schema(shared)
        assert OrganizationRow.objects.get(pk=shared.ref.id).state == "deleting"
        assert ApiKeyRow.objects.filter(organization_id=shared.ref.id).exists()  # the second half was undone as one

    eventually(lambda: not OrganizationRow.objects.filter(pk=shared.ref.id).exists(), within=60)
    assert not ApiKeyRow.objects.filter(organization_id=shared.ref.id).exists()
    assert not MembershipRow.objects.filter(organization_id=shared.ref.id).exists()
    with scope(shared.ref):
        assert ledger.entry(shared.ref.id, request_id) is not None
    own = shared.people.client(shared.second)
    (receipt,) = own.get("/v1/account/receipts").json()["data"]
    facts = receipt["document"]["facts"]
    assert (receipt["kind"], facts["slug"]) == ("organization.deleted", shared.slug)
    assert facts["rows"]["memory"] >= 1
    assert facts["directory_rows"]["apikeyrow"] >= 1
    assert "ledger" in {one["what"] for one in facts["kept"]}
    assert receipts.verify(receipt["document"], receipt["signature"])[0] is True
    assert shared.people.client(shared.admin).get("/v1/account/receipts").json()["data"] == []
    with shared.org.client() as key:
        refused = key.get("/v1/me")
        assert (refused.status_code, refused.json()["code"]) in {(403, "organization_deleted"), (401, "key_unknown")}
    with gateway.acme.client() as other:
        assert other.get("/v1/me").status_code == 200
    gone = own.request("DELETE", "/v1/account", json={"password": PASSWORD})
    assert gone.status_code == 200, gone.text


def _has_schema(closing: Closing) -> bool:
    with connections["owner"].cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", [closing.ref.schema])
        return cursor.fetchone() is not None


def test_drop__taken_back_before_its_time__deletes_nothing(gateway: Gateway, committed_database: None) -> None:
    ref = selectors.organization_by_slug("acme").ref
    assert dropping.drop(ref) is None
    assert selectors.organization(ref.id).state == "ready"
