"""The idempotency keys that people used for their own affairs."""

from __future__ import annotations

from gateway.core.idempotency import Claims
from tenants.accounts.models import AccountClaimRow

claims = Claims(AccountClaimRow)
