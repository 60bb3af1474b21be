"""No URL goes around the spine: each is a declared asynchronous operation, or open for a written reason."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import get_resolver, path
from ninja import NinjaAPI

from gateway.core.endpoint import Metering, Scope, declared, endpoint
from gateway.surfaces.fast_lane import PATH
from gateway.surfaces.routes import endpoint_at
from tests.architecture.urls import OPEN, Route, routes, undeclared


def test_urls__of_the_project__are_declared_or_open_for_a_reason() -> None:
    found = list(routes(get_resolver("ikiro.urls").url_patterns))
    assert list(undeclared(iter(found), OPEN)) == []
    assert sum(route.ninja is not None for route in found) > 20


def test_fast_lane__its_path__is_a_declared_operation_that_opens_a_lease() -> None:
    declaration = endpoint_at(PATH)
    assert declaration is not None
    assert (declaration.metering, declaration.public) == (Metering.CALL, False)


def test_posts__with_a_scope_that_reads__have_nothing_to_repeat() -> None:
    found = {
        route.path: declared(operation.view_func)
        for route in routes(get_resolver("ikiro.urls").url_patterns)
        if route.ninja is not None
        for operation in route.ninja.operations
        if "POST" in operation.methods
    }
    reading = {
        path for path, one in found.items() if one is not None and one.scope is not None and ":read" in one.scope
    }
    claiming = {path for path in reading if not found[path].reads}  # type: ignore[union-attr]
    assert claiming == {"v1/requests/<request_id>/replay"}  # it reads a request, and calls a model anew
    assert {path for path, one in found.items() if one is not None and one.reads} - reading == {
        "v1/explain", "v1/packs/precompose", "v1/messages/count_tokens",
    }  # fmt: skip


def test_undeclared__planted_operations__are_caught() -> None:
    api = NinjaAPI(urls_namespace="planted", docs_url=None, openapi_url=None)

    @api.get("/good")
    @endpoint(scope=Scope.CHAT)
    async def good(request: HttpRequest) -> str:
        return "ok"

    @api.get("/sync")
    @endpoint(scope=Scope.CHAT)
    def sync(request: HttpRequest) -> str:
        return "ok"

    @api.get("/bare")
    async def bare(request: HttpRequest) -> str:
        return "ok"

    @api.get("/public")
    @endpoint(scope=None, public=True)
    async def public(request: HttpRequest) -> str:
        return "ok"

    def plain(request: HttpRequest) -> HttpResponse:
        return HttpResponse()

    patterns = [path("v1/", api.urls), path("plain", plain), path("healthz", plain)]
    open_urls = {"healthz": "liveness", "v1/": "root", "gone": "stale"}
    assert [problem.split(":")[0] for problem in undeclared(routes(patterns), open_urls)] == [
        "GET /v1/sync is synchronous",
        "GET /v1/bare declares no endpoint",
        "GET /v1/public needs no key",
        "/plain is not a Ninja operation",
        "/gone is in the list of open URLs, but nothing serves it",
    ]


def test_route__a_view_that_is_not_ninja__has_no_path_view() -> None:
    assert Route("x", lambda request: None).ninja is None
