"""Why a request is not let in.

RateLimited          429 rate_limited, token_rate_limited, concurrency_limited   (retry_after, extra.limit: which one)
OverBudget           402 quota_exceeded, budget_exceeded, memory_operations_exceeded   (extra.limit; extra.quota too)
BudgetUnknown        503 budget_unknown      the store was emptied; what was spent is being put back
DuplicateRequest     409 duplicate_request   the request id has, or had, a lease already
StoreUnavailable     503 store_unavailable   from gateway.core.valkey: nothing was decided
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gateway.core import errors

if TYPE_CHECKING:
    from gateway.platform.admission.limits import LimitState


class RateLimited(errors.RateLimited):
    """``states``: every limit as it stands, for the answer's headers."""

    states: Sequence[LimitState] = ()


class OverBudget(errors.PaymentRequired):
    states: Sequence[LimitState] = ()


class BudgetUnknown(errors.Unavailable):
    default_code = "budget_unknown"
    states: Sequence[LimitState] = ()


class DuplicateRequest(errors.Conflict):
    default_code = "duplicate_request"
