"""Answers kept for whoever sends the same ``Idempotency-Key`` again: those that are about a subject are withdrawn."""

from __future__ import annotations

import json
from collections.abc import Collection
from uuid import UUID

from gateway.core import ids
from gateway.core.subjectdata import Target
from gateway.platform.idempotency.services import claims
from tenants.context import current


def erase(target: Target, request_ids: Collection[UUID]) -> int:
    """Withdraw the kept answers of these requests, and every other one with the subject's id in it; how many.

    They are a day old at most. The claims stay, so that nothing that was done is done again.
    """
    words = {json.dumps(target.id).encode(), json.dumps(target.id, ensure_ascii=False).encode()}
    before = target.before

    def is_meant(request_id: UUID, body: bytes) -> bool:
        if before is not None and ids.created_at(request_id) >= before:
            return False
        return request_id in request_ids or any(word in body for word in words)

    return claims.withdraw(str(current().id), is_meant)
