"""Putting what people and connections have sealed (second factors, client secrets) under the key ring's active key."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from allauth.mfa.models import Authenticator
from django.db import transaction

from gateway.core import crypto, ids
from tenants.accounts.mfa import PLACE
from tenants.sso.models import SsoConnectionRow
from tenants.sso.selectors import sealed_at

# The fields of a second factor that allauth hands to the adapter for sealing.
_TEXTS, _LISTS = ("secret", "seed"), ("migrated_codes",)


def reseal() -> tuple[int, list[str]]:
    """(how many rows were re-sealed, the names of those whose key is not on the ring). Each row is a transaction of its
    own, so that stopping loses nothing. Runs in the public scope."""
    changed, unreadable = 0, []
    for kind, rows, one in (
        ("sso connection", SsoConnectionRow.objects.exclude(client_secret_ciphertext=None), _connection),
        ("second factor", Authenticator.objects.exclude(type="webauthn"), _factor),
    ):
        for pk in rows.order_by("pk").values_list("pk", flat=True):
            try:
                with transaction.atomic():
                    changed += one(rows.model.objects.select_for_update().filter(pk=pk).first())
            except crypto.Unreadable:
                unreadable.append(f"{kind} {ids.base32(pk) if kind == 'sso connection' else pk}")
    return changed, unreadable


def _connection(row: Any) -> bool:
    if row is None or row.client_secret_ciphertext is None or row.client_secret_kid == crypto.active_kid():
        return False
    row.client_secret_ciphertext, row.client_secret_kid = crypto.rewrap(
        bytes(row.client_secret_ciphertext), row.client_secret_kid, *sealed_at(row.pk)
    )
    row.save(update_fields=["client_secret_ciphertext", "client_secret_kid"])
    return True


def _factor(row: Any) -> bool:
    if row is None:
        return False
    before = dict(row.data)
    for name in _TEXTS:
        if name in row.data:
            row.data[name] = _resealed(row.data[name])
    for name in _LISTS:
        if name in row.data:
            row.data[name] = [_resealed(text) for text in row.data[name]]
    if row.data == before:
        return False
    row.save(update_fields=["data"])
    return True


def _resealed(text: str) -> str:
    kid, _, body = text.rpartition(".")
    if kid == crypto.active_kid():
        return text
    try:
        sealed, active = crypto.rewrap(base64.b64decode(body, validate=True), kid, *PLACE)
    except binascii.Error:
        raise crypto.Unreadable("A sealed value is not in a form that this version knows.") from None
    return f"{active}.{base64.b64encode(sealed).decode()}"
