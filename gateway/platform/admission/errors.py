"""Why a request is not let in.

RateLimited          429 rate_limited      too many requests now (retry_after, extra.limit)
QuotaExceeded        402 quota_exceeded    the month's calls are used up (extra.quota)
DuplicateRequest     409 duplicate_request the request id has an open lease already
StoreUnavailable     503 store_unavailable from gateway.core.valkey: nothing was decided
"""

from __future__ import annotations

from gateway.core import errors


class RateLimited(errors.RateLimited):
    """``extra``: ``limit {scope, limit, window_s, remaining, reset_s}`` and ``quota``, for the answer's headers."""


class QuotaExceeded(errors.PaymentRequired):
    default_code = "quota_exceeded"


class DuplicateRequest(errors.Conflict):
    default_code = "duplicate_request"
