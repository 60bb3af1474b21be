"""Receipts: signed once, verifiable by anybody with the published key, and each organization's own."""

from __future__ import annotations

import base64
import json

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.db import ProgrammingError, connection, transaction

from gateway.core import ids
from gateway.platform.receipts import selectors, services, signing
from gateway.platform.receipts.canonical import canonical
from gateway.platform.receipts.errors import ReceiptNotFound
from gateway.platform.receipts.models import ReceiptRow
from gateway.platform.receipts.types import ReceiptKind
from tenants.context import public_scope, scope

pytestmark = pytest.mark.django_db
FACTS = {"erased": {"memories": 3}, "name": "Zoë \u2028 \U0001f642", "kept": []}


def _issue(ref, source=None, **options):
    with scope(ref):
        return services.issue(
            ReceiptKind.SUBJECT_ERASED,
            FACTS,
            organization=ref,
            source=source or ids.uuid7(),
            subject_id="usr_1",
            **options,
        )


def test_issue__twice_for_one_source__is_the_same_receipt(acme, globex):
    source = ids.uuid7()
    first, second, theirs = _issue(acme, source), _issue(acme, source), _issue(globex, source)
    assert first == second
    assert theirs.id != first.id
    with scope(acme):
        assert [one.id for one in selectors.list_page(limit=10).data] == [first.id]


def test_receipt__with_the_published_key_alone__verifies_offline(acme):
    receipt = _issue(acme)
    (published,) = [key for key in selectors.public_keys() if key.kid == receipt.document["kid"]]
    # What anybody writes: no code of ours, only RFC 8785's rules for values without numbers that need rules.
    text = json.dumps(receipt.document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    key = Ed25519PublicKey.from_public_bytes(published.raw)
    key.verify(receipt.signature, text)
    forged = text.replace(b'"memories":3', b'"memories":4')
    with pytest.raises(InvalidSignature):
        key.verify(receipt.signature, forged)


def test_verify__changed_document_or_strange_key__is_not_valid(acme):
    receipt = _issue(acme)
    signature = signing.encoded(receipt.signature)
    assert services.verify(receipt.document, signature) == (True, receipt.kid)
    assert services.verify({**receipt.document, "subject_id": "usr_2"}, signature) == (False, receipt.kid)
    assert services.verify({**receipt.document, "kid": "nobody's"}, signature) == (False, None)
    assert services.verify({**receipt.document, "x": 0.5}, signature) == (False, receipt.kid)
    assert services.verify(receipt.document, "not base64!") == (False, receipt.kid)


def test_issue__after_the_ring_was_rotated__has_another_kid_and_the_old_one_still_verifies(acme, settings):
    before = _issue(acme)
    secret = base64.b64encode(b"n" * 32).decode()
    settings.IKIRO_KEYRING = {"active": "new", "keys": {"new": secret}}  # the old key is off the ring altogether
    after = _issue(acme)
    assert after.kid != before.kid
    for receipt in (before, after):
        assert services.verify(receipt.document, signing.encoded(receipt.signature)) == (True, receipt.kid)
    assert {before.kid, after.kid} <= {key.kid for key in selectors.public_keys()}


def test_receipt__of_another_organization__is_not_there_and_cannot_be_changed(acme, globex):
    receipt = _issue(acme)
    with scope(globex):
        with pytest.raises(ReceiptNotFound):
            selectors.get(receipt.id)
        assert not ReceiptRow.objects.filter(pk=receipt.id).exists()  # the database's own rule
    with scope(acme), pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
        ReceiptRow.objects.filter(pk=receipt.id).update(subject_id="usr_2")
    with public_scope():
        assert not ReceiptRow.objects.filter(pk=receipt.id).exists()


def test_of_person__deleted_organization__is_shown_to_who_asked_alone(acme):
    asked, other = ids.uuid7(), ids.uuid7()
    with scope(acme):
        receipt = services.issue(
            ReceiptKind.ORGANIZATION_DELETED, {"rows": {}}, organization=acme, source=acme.id, user_id=asked
        )
    with public_scope():
        assert [one.id for one in selectors.of_person(asked, limit=10).data] == [receipt.id]
        assert selectors.of_person(other, limit=10).data == []


@pytest.mark.parametrize(
    "value", [0.5, 2**53, {"ä": 1}, b"bytes", (1,)], ids=["float", "large", "key", "bytes", "tuple"]
)
def test_canonical__what_has_no_one_form__is_refused(value):
    with pytest.raises(ValueError, match=r"canonical|ASCII"):
        canonical({"x": value})


def test_canonical__same_values_in_another_order__are_the_same_bytes():
    assert canonical({"b": [1, True, None], "a": "é"}) == canonical({"a": "é", "b": [1, True, None]})
    assert canonical({"b": 1, "a": "é\n"}) == '{"a":"é\\n","b":1}'.encode()


def test_database__role_of_requests__sees_no_receipt_outside_a_scope(acme):
    _issue(acme)
    with public_scope(), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM receipt WHERE kind = 'subject.erased'")
        assert cursor.fetchone() == (0,)
