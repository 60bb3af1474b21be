"""What the tests of admission and ledger share: Django's settings when nobody set them, organizations, requests."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, TypeVar
from uuid import UUID

import django
from django.conf import settings

from gateway.core import ids
from gateway.core.valkey import Valkey

T = TypeVar("T")

ACME = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
GLOBEX = UUID("01890a5d-ac96-7000-8000-00000000beef")
KEY = UUID("01890a5d-ac96-7000-8000-0000000000aa")


def ensure_django() -> None:
    """Set Django up with the ledger alone, unless the project's settings are in use."""
    if not settings.configured and not os.environ.get("DJANGO_SETTINGS_MODULE"):
        settings.configure(
            INSTALLED_APPS=["gateway.platform.ledger"],
            IKIRO_LEASE_TTL_S=60,
            IKIRO_ALLOWANCE_CALLS=1000,
            IKIRO_ALLOWANCE_MICROS=1_000_000,
            IKIRO_STATE_DIR="/nonexistent",
            USE_TZ=True,
        )
        django.setup()


def run(url: str, work: Callable[[Valkey], Awaitable[T]], **options: Any) -> T:
    """Run ``work`` on a loop and connection of its own."""

    async def main() -> T:
        store = Valkey(url, **options)
        try:
            return await work(store)
        finally:
            await store.close()

    return asyncio.run(main())


def plan_limits(rate: Any = None, quota: int | None = None) -> list[Any]:
    """The two limits of a plan: 100 a minute and no quota, unless said otherwise."""
    from gateway.platform.admission.limits import CALLS, PLAN, Kind, Level, Limit

    most, window_s = (rate.limit, rate.window_s) if rate is not None else (100, 60)
    return [
        Limit(PLAN, Level.ORGANIZATION, Kind.REQUESTS, most, window_s),
        Limit(PLAN, Level.ORGANIZATION, CALLS, quota, "month"),
    ]


def a_request(
    org_id: UUID = ACME,
    *,
    rate: Any = None,
    quota: int | None = None,
    limits: Any = (),
    holders: Any = (),
    **changes: Any,
) -> Any:
    """An admission request with a lease, 100 a minute, no quota, and ``limits`` on top; counted for the key and
    ``holders``."""
    from gateway.platform.admission.limits import applied
    from gateway.platform.admission.types import AdmissionRequest, LeaseDraft

    facts = {"surface": "v1", "model": "ikiro/sandbox", "persona_id": "sage", "subject_id": "ann", "prompt_tokens": 7}
    request = AdmissionRequest(
        org_id=org_id,
        request_id=ids.uuid7(),
        key_id=KEY,
        applied=applied([*plan_limits(rate, quota), *limits], ["o", f"k{KEY}", *holders]),
        counts_as_call=True,
        lease=LeaseDraft(expires_in_s=60, estimate_micros=1200, facts=facts),
    )
    return replace(request, **changes)


def a_settlement(**changes: Any) -> Any:
    """12 + 5 tokens at 1,000 + 200 micro-dollars."""
    from gateway.platform.admission.types import Settlement

    settlement = Settlement(
        status=200,
        outcome="ok",
        model="ikiro/sandbox",
        provider="ikiro",
        prompt_tokens=12,
        completion_tokens=5,
        provider_cost_micros=1000,
        markup_micros=200,
        charged_micros=1200,
        price_version="p1",
        latency_ms=40,
        ttft_ms=9,
        record={"auth": {"key": "k"}},
    )
    return replace(settlement, **changes)
