"""The claims of one organization's callers. Private to the slice."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from gateway.core.idempotency.model import ClaimModel


class ClaimRow(ClaimModel):
    class Meta:
        app_label = "gateway_idempotency"
        db_table = "idempotency_claim"
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["expires_at"], name="idempotency_claim_by_end"),
            models.Index(fields=["request_id"], name="idempotency_claim_by_request"),
        ]

    def __str__(self) -> str:
        return f"{self.state} {self.id[:12]}"
