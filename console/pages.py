"""How a view becomes a page: who may open it, what it gets, and what becomes of the API's refusals.

    @page(action="keys.list")                 an organization's page: /o/<org>/…
    async def keys(request: PageRequest) -> HttpResponse: ...

    @account_page                             signed in, no organization in the path
    @public_page                              anyone

A view gets ``request.api`` (GatewayClient), ``request.org``, ``request.permissions``, ``request.user``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import wraps
from typing import Any, cast

from django.http import HttpResponseNotAllowed
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers

from console import errors, permissions
from console.gateway import AccountsClient, ApiError, GatewayClient, GatewayDown
from console.requests import Org, PageRequest

View = Callable[..., Coroutine[Any, Any, HttpResponseBase]]
_READ_AND_SEND = ("GET", "HEAD", "POST")


@dataclass(frozen=True, slots=True)
class Needs:
    """What a page asks of whoever opens it; on the view as ``needs``, so that tests can go through all of them."""

    who: str  # anyone, person, member
    action: str | None = None
    methods: tuple[str, ...] = _READ_AND_SEND


def page(*, action: str | None = None, methods: tuple[str, ...] = _READ_AND_SEND) -> Callable[[View], View]:
    """A page of the organization in the path. ``action`` (``keys.list``) is what it needs; without it every member may
    come. An organization that is not the person's is not found, like one that does not exist."""

    def decorate(view: View) -> View:
        async def entered(request: Any, org: str, **kwargs: Any) -> HttpResponseBase:
            if not request.visit.signed_in:
                return errors.signed_out(request)
            await _enter(request, org)
            if action is not None and not (may := request.permissions.may(action)):
                return errors.forbidden(request, may.why)
            return await view(request, **kwargs)

        return _served(view, entered, Needs("member", action, methods))

    return decorate


def account_page(view: View) -> View:
    """Signed in, with no organization in the path: the account's own pages and the list of organizations."""

    async def entered(request: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.visit.signed_in:
            return errors.signed_out(request)
        request.api = GatewayClient(request, None)
        request.user = (await request.api.whoami()).user
        return await view(request, **kwargs)

    return _served(view, entered, Needs("person"))


def public_page(view: View) -> View:
    """Anyone, signed in or not."""

    async def entered(request: Any, **kwargs: Any) -> HttpResponseBase:
        return await view(request, **kwargs)

    return _served(view, entered, Needs("anyone"))


def _served(view: View, entered: View, needs: Needs) -> View:
    @wraps(view)
    async def answered(request: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method not in needs.methods:
            return HttpResponseNotAllowed(needs.methods)
        request.accounts = AccountsClient(request)
        try:
            response = await entered(request, **kwargs)
        except ApiError as error:
            response = errors.refused(request, error)
        except GatewayDown as error:
            response = errors.gateway_down(request, error)
        patch_vary_headers(response, ("HX-Request", "Cookie"))
        return response

    cast(Any, answered).needs = needs
    return answered


async def _enter(request: PageRequest, slug: str) -> None:
    """Load what every page of an organization needs, at the same time; a part of a page needs no list to switch to."""
    request.api = GatewayClient(request, slug)
    known = await request.api.whoami()
    silent = GatewayClient(request, slug, silent=True)
    paths = ["/v1/me/permissions"] if request.htmx else ["/v1/me/permissions", "/v1/organizations"]
    allowed, *lists = await asyncio.gather(*(silent.get(path) for path in paths))
    request.user = known.user
    given = known.organization or {}
    request.org = Org(
        **{name: str(given.get(name) or "") for name in ("id", "slug", "name", "plan", "role")},
        mode=str(given.get("mode") or "live"),
    )
    request.permissions = permissions.from_answer(allowed.data)
    request.organizations = lists[0].rows if lists else []
    request.visit.meta["org"] = slug
