"""Doing a POST once however often it is sent: the claim on a caller's key, and the answer kept for whoever asks again.

No table here: an organization's claims live in its own schema (``gateway.platform.idempotency``), those of people's own
affairs beside their accounts (``tenants.accounts``). Both are a ``ClaimModel`` under a ``Claims``.
"""

from __future__ import annotations

from gateway.core.idempotency.claims import Claims
from gateway.core.idempotency.errors import AnswerTooLarge, AnswerWithdrawn, IdempotencyMismatch, InFlight, InvalidKey
from gateway.core.idempotency.keys import claim_id, fingerprint, parse
from gateway.core.idempotency.types import ANSWER_BYTES, Answer, Claimed, Standing

__all__ = [
    "ANSWER_BYTES",
    "Answer",
    "AnswerTooLarge",
    "AnswerWithdrawn",
    "Claimed",
    "Claims",
    "IdempotencyMismatch",
    "InFlight",
    "InvalidKey",
    "Standing",
    "claim_id",
    "fingerprint",
    "parse",
]
