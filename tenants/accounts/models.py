"""What happened to accounts. Public rows: an account belongs to a person, not to an organization."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from gateway.core import clock, ids
from gateway.core.idempotency.model import ClaimModel


class AccountEventRow(models.Model):
    """One event of one account. ``user_id`` is a plain id, so that the trail outlives the account; it is empty for a
    failed sign-in to an account that does not exist."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7)
    user_id = models.UUIDField(null=True)
    action = models.CharField(max_length=40)
    address = models.GenericIPAddressField(null=True)
    user_agent = models.CharField(max_length=200, blank=True, default="")
    detail = models.JSONField(default=dict)
    at = models.DateTimeField(default=clock.now)

    class Meta:
        app_label = "tenants_accounts"
        db_table = "tenants_account_event"
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["user_id", "id"], name="tenants_account_event_by_user"),
        ]

    def __str__(self) -> str:
        return f"{self.action} of {self.user_id}"


class AccountClaimRow(ClaimModel):
    """An idempotency key that a person used for their own affairs, which belong to no organization."""

    class Meta:
        app_label = "tenants_accounts"
        db_table = "tenants_account_claim"
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["expires_at"], name="tenants_account_claim_by_end"),
            models.Index(fields=["request_id"], name="tenants_account_claim_by_req"),
        ]

    def __str__(self) -> str:
        return f"{self.state} {self.id[:12]}"
