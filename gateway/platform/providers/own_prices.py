"""An organization's own prices for models: where it has negotiated one, and for models that no list knows.

They live in the organization's settings (``price_overrides``), full model name → dollars per million tokens by kind of
token, each with the version under which entries are frozen: a change is a new version, so an old entry still says what
it was reckoned by.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.db import transaction

from gateway.core import ids
from gateway.core.errors import BadRequest, FieldProblem, NotFound
from gateway.core.journal import Actor
from gateway.platform.providers.rates import Rate, Rates, picos
from tenants import selectors, services
from tenants.types import Organization, OrgRef

KINDS = ("prompt", "completion", "cached", "cache_write")
MOST_DOLLARS = Decimal(100_000)
MOST_MODELS = 200
_PLACES = 6


@dataclass(frozen=True, slots=True)
class OwnPrice:
    """Dollars per million tokens, as text; ``cached`` and ``cache_write`` are the prompt's when None."""

    prompt: str
    completion: str
    cached: str | None
    cache_write: str | None
    version: str


def of(organization: Organization, name: str) -> Rates | None:
    """The organization's own rates of a model (full name ``provider/model``); None when it has none. No I/O."""
    overrides = organization.settings.price_overrides
    stored = overrides.get(name) if overrides else None
    return _rates(*(stored.get(kind) for kind in (*KINDS, "version"))) if stored else None


def shown(organization: Organization, name: str) -> OwnPrice | None:
    """The organization's own price as it was set."""
    stored = organization.settings.price_overrides.get(name)
    return _shown(stored) if stored else None


def set_(ref: OrgRef, name: str, prices: Mapping[str, Decimal | None], *, actor: Actor, request_id: UUID) -> OwnPrice:
    """Set what a model costs this organization (``prices`` by ``KINDS``), from the next call on; audited.

    Raises BadRequest for a name that is no ``provider/model``, for amounts out of range, and above 200 models.
    """
    check(name, prices)
    stored = {kind: None if (price := prices.get(kind)) is None else format(price, "f") for kind in KINDS}
    made = {**stored, "version": f"own/{ids.base32(ids.uuid7())}"}
    with transaction.atomic():
        now = _locked(ref)
        if name not in now and len(now) >= MOST_MODELS:
            raise BadRequest(f"At most {MOST_MODELS} models may have a price of their own.", code="too_many_prices")
        services.settings_change(ref, actor=actor, request_id=request_id, price_overrides={**now, name: made})
    return _shown(made)


def remove(ref: OrgRef, name: str, *, actor: Actor, request_id: UUID) -> OwnPrice:
    """Return a model to the price list. Raises NotFound when it has no price of its own."""
    with transaction.atomic():
        now = _locked(ref)
        if name not in now:
            raise NotFound(f"{name} has no price of its own.", code="price_not_found")
        gone = now.pop(name)
        services.settings_change(ref, actor=actor, request_id=request_id, price_overrides=now or None)
    return _shown(gone)


def check(name: str, prices: Mapping[str, Decimal | None]) -> None:
    """Raise BadRequest unless this may be set."""
    provider, slash, model = name.partition("/")
    if not (provider and slash and model) or provider == "ikiro":
        raise BadRequest(
            "A price belongs to a full name, provider/model, of a provider that is not built in.", code="invalid_price"
        )
    for kind, price in prices.items():
        problem = None if price is None else _problem(price)
        if problem:
            raise BadRequest(
                f"{kind}: {problem}",
                code="invalid_price",
                problems=(FieldProblem(f"#/{kind}", "invalid_price", problem),),
            )


def _problem(price: Decimal) -> str | None:
    if not price.is_finite() or not 0 <= price <= MOST_DOLLARS:
        return f"must be 0 to {MOST_DOLLARS} dollars per million tokens"
    exponent = price.as_tuple().exponent
    return f"has more than {_PLACES} decimal places" if isinstance(exponent, int) and exponent < -_PLACES else None


def _locked(ref: OrgRef) -> dict[str, Any]:
    """The overrides as they are, with the organization locked until the transaction ends."""
    services.organization_touch(ref)
    organization = selectors.organization(ref.id)
    return dict(organization.settings.price_overrides) if organization is not None else {}


def _shown(stored: Mapping[str, Any]) -> OwnPrice:
    prompt, completion, cached, cache_write, version = (stored.get(name) for name in (*KINDS, "version"))
    return OwnPrice(str(prompt), str(completion), cached, cache_write, str(version))


@lru_cache(maxsize=4096)
def _rates(prompt: str, completion: str, cached: str | None, cache_write: str | None, version: str) -> Rates:
    read, written = (Rate(picos(Decimal(price or prompt))) for price in (cached, cache_write))
    return Rates(Rate(picos(Decimal(prompt))), read, written, Rate(picos(Decimal(completion))), version)
