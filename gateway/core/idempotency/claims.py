"""Claiming a key, keeping its lease, and keeping or giving up the answer. Synchronous; times are the database's."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
from django.conf import settings
from django.db import models, transaction
from django.db.models.functions import Now

from gateway.core import crypto
from gateway.core.idempotency.model import ClaimModel
from gateway.core.idempotency.types import ANSWER_BYTES, KEPT, Answer, Claimed, Standing

_PURGED_AT_ONCE = 1_000
_WITHDRAWN_AT_ONCE = 200
# How often a claim that vanishes between two statements is tried for again.
_TRIES = 5


class _Stored(msgspec.Struct, array_like=True):
    status: int
    headers: list[tuple[str, str]]
    body: bytes


class Claims:
    """The claims of one table. Every method runs on the connection, and in the schema, that is in scope."""

    def __init__(self, model: type[ClaimModel]) -> None:
        self._rows: models.Manager[Any] = model._default_manager
        self._model = model

    def claim(self, claim_id: str, fingerprint: str, request_id: UUID, place: str) -> Claimed:
        """Take the key for ``request_id``, or say how it stands: atomic, so of any number of callers one gets MINE.

        A claim whose lease lapsed (its worker died) or whose day is over is taken over; a lapsed one only for the same
        request. ``place`` names where the row lives, as ``complete`` gave it. Raises crypto.Unreadable.
        """
        for _ in range(_TRIES):
            with transaction.atomic():
                row = self._model(**self._fresh(fingerprint, request_id), id=claim_id)
                self._rows.bulk_create([row], ignore_conflicts=True)
                found = self._standing(claim_id, fingerprint, request_id, place)
            if found is not None:
                return found
        return Claimed(Standing.RUNNING, request_id)

    def _standing(self, claim_id: str, fingerprint: str, request_id: UUID, place: str) -> Claimed | None:
        over, lapsed = models.Q(expires_at__lte=Now()), models.Q(lease_until__lte=Now())
        row = self._rows.select_for_update().annotate(over=over, lapsed=lapsed).filter(pk=claim_id).first()
        if row is None:
            return None
        mine, same = row.request_id == request_id, row.fingerprint == fingerprint
        if not mine and (row.over or (same and row.lapsed and row.state == Standing.RUNNING)):
            self._rows.filter(pk=claim_id).update(**self._fresh(fingerprint, request_id), answer_ciphertext=None)
            mine = same = True
        if mine:
            return Claimed(Standing.MINE, request_id)
        if not same:
            return Claimed(Standing.OTHER, row.request_id)
        if row.state != Standing.DONE:
            return Claimed(Standing(row.state), row.request_id)
        return Claimed(Standing.DONE, row.request_id, _opened(row, place))

    @staticmethod
    def _fresh(fingerprint: str, request_id: UUID) -> dict[str, Any]:
        return {
            "fingerprint": fingerprint,
            "request_id": request_id,
            "state": Standing.RUNNING,
            "lease_until": Now() + lease(),
            "expires_at": Now() + KEPT,
        }

    def renew(self, request_ids: Iterable[UUID]) -> int:
        """Say that these are still worked on; returns how many are."""
        running = self._rows.filter(request_id__in=list(request_ids), state=Standing.RUNNING)
        return int(running.update(lease_until=Now() + lease()))

    def complete(self, claim_id: str, request_id: UUID, answer: Answer, place: str) -> bool:
        """Keep the answer for a day from now. One that is too large leaves only the fact that the work was done. False
        when the claim is no longer this request's."""
        mine = self._rows.filter(pk=claim_id, request_id=request_id, state=Standing.RUNNING)
        expires_at = Now() + KEPT
        if len(answer.body) > ANSWER_BYTES:
            return bool(mine.update(state=Standing.TOO_LARGE, expires_at=expires_at))
        sealed, kid = _sealed(answer, claim_id, place)
        return bool(mine.update(state=Standing.DONE, expires_at=expires_at, answer_ciphertext=sealed, answer_kid=kid))

    def release(self, claim_id: str, request_id: UUID) -> None:
        """Give the key back as if it had not been used."""
        self._rows.filter(pk=claim_id, request_id=request_id, state=Standing.RUNNING).delete()

    def withdraw(self, place: str, is_meant: Callable[[UUID, bytes], bool]) -> int:
        """Let go of the kept answers (request, body) that are meant; returns how many. That the work was done stays, so
        it is not done again. An answer that nobody can open any more says nothing, and stays until its day is over."""
        withdrawn, last = 0, ""
        kept = self._rows.filter(state=Standing.DONE, answer_ciphertext__isnull=False).order_by("pk")
        while rows := list(kept.filter(pk__gt=last)[:_WITHDRAWN_AT_ONCE]):
            last = rows[-1].pk
            meant = [row.pk for row in rows if is_meant(row.request_id, _body(row, place))]
            of_these = self._rows.filter(pk__in=meant, state=Standing.DONE)
            withdrawn += of_these.update(state=Standing.TOO_LARGE, answer_ciphertext=None)
        return withdrawn

    def purge(self) -> int:
        """Delete claims whose day is over; returns how many."""
        purged = 0
        while ids := self._over():
            purged += self._rows.filter(pk__in=ids, expires_at__lte=Now()).delete()[0]
            if len(ids) < _PURGED_AT_ONCE:
                break
        return purged

    def _over(self) -> Sequence[str]:
        return list(self._rows.filter(expires_at__lte=Now()).values_list("pk", flat=True)[:_PURGED_AT_ONCE])


def lease() -> timedelta:
    """How long a claim outlives the last sign of its worker: as long as an admission's lease does."""
    return timedelta(seconds=float(settings.IKIRO_LEASE_TTL_S))


def _sealed(answer: Answer, claim_id: str, place: str) -> tuple[bytes, str]:
    stored = msgspec.msgpack.encode(_Stored(answer.status, list(answer.headers), answer.body))
    return crypto.seal(crypto.Secret(base64.b64encode(stored).decode()), "idempotency", place, claim_id)


def _opened(row: Any, place: str) -> Answer:
    text = crypto.unseal(bytes(row.answer_ciphertext), row.answer_kid, "idempotency", place, row.pk).reveal()
    stored = msgspec.msgpack.decode(base64.b64decode(text), type=_Stored)
    return Answer(stored.status, tuple(stored.headers), stored.body)


def _body(row: Any, place: str) -> bytes:
    try:
        return _opened(row, place).body
    except crypto.Unreadable:
        return b""
