"""The landing page: honest words, no code from anywhere, readable without a script."""

from __future__ import annotations

import re
from typing import Any

import pytest

from console import assets
from tests.console.conftest import Browser
from tests.console.scripted import Scripted, problem

_INLINE = re.compile(r"<style|\sstyle=|\son[a-z]+=|javascript:|https?://(?!testserver)|<script(?![^>]*\ssrc=)", re.I)


def test_home__signed_out__shows_the_first_call_with_its_own_address(browser: Browser) -> None:
    page = browser.get("/").content.decode()
    assert "curl http://testserver/v1/chat" in page
    for link in ("/v1/openapi.json", "/readyz", "/healthz", "/login", "/signup"):
        assert f'href="{link}"' in page


def test_home__its_html__holds_nothing_inline_and_nothing_foreign(browser: Browser) -> None:
    assert _INLINE.findall(browser.get("/").content.decode()) == []


def test_home__signed_in__leads_to_the_last_organization(browser: Browser, scripted: Scripted) -> None:
    answer = browser.sign_in("globex", org="globex").get("/")
    assert (answer.status_code, answer["Location"]) == (303, "/o/globex/")


def test_home__last_organization_of_another_person__is_not_followed(browser: Browser, scripted: Scripted) -> None:
    answer = browser.sign_in("globex", org="acme").get("/")
    assert answer["Location"] == "/o/globex/"


def test_home__signed_in_without_an_organization__leads_to_making_one(browser: Browser, scripted: Scripted) -> None:
    scripted.on("GET", "/v1/organizations", (200, {"data": [], "next_cursor": None}))
    assert browser.sign_in("acme").get("/")["Location"] == "/organizations/new"


def test_home__put__is_405(browser: Browser) -> None:
    import asyncio

    assert asyncio.run(browser.client.put("/")).status_code == 405


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("console.css", "text/css; charset=utf-8"),
        ("app.js", "text/javascript; charset=utf-8"),
        ("icons.svg", "image/svg+xml"),
    ],
)
def test_asset__with_its_hash__is_kept_for_ever_and_sent_once(name: str, kind: str, browser: Browser) -> None:
    url = assets.url(f"console/{name}")
    first = browser.get(url)
    assert (first.status_code, first["Content-Type"]) == (200, kind)
    assert first.content == assets.assets()[f"console/{name}"].body
    assert first["Cache-Control"] == "public, max-age=31536000, immutable"
    again = browser.get(url, headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_asset__hash_of_another_version__is_answered_but_not_kept(browser: Browser) -> None:
    answer = browser.get("/static/console/console.0123456789ab.css")
    assert (answer.status_code, answer["Cache-Control"]) == (200, "public, max-age=300")


@pytest.mark.parametrize(
    "name", ["nothing.css", "../console/urls.py", "console/../../manage.py", "console/css/10-tokens.css"]
)
def test_asset__unknown_name_or_path_outside__is_404(name: str, browser: Browser) -> None:
    assert browser.get(f"/static/{name}").status_code == 404


def test_preferences__known_value__is_kept_and_leads_back(browser: Browser) -> None:
    answer = browser.post("/preferences", {"name": "theme", "value": "dark", "next": "/o/acme/"})
    assert (answer.status_code, answer["Location"]) == (303, "/o/acme/")
    assert 'data-theme="dark"' in browser.get("/").content.decode()


@pytest.mark.parametrize("place", ["https://evil.example/", "//evil.example", "javascript:alert(1)", "/\\evil.example"])
def test_preferences__next_elsewhere__is_not_followed(place: str, browser: Browser) -> None:
    answer = browser.post("/preferences", {"name": "theme", "value": "dark", "next": place})
    assert answer["Location"] == "/"


def test_preferences__unknown_value__changes_nothing(browser: Browser) -> None:
    browser.post("/preferences", {"name": "theme", "value": "<script>"})
    browser.post("/preferences", {"name": "session", "value": "x"})
    assert {name for name in browser.client.cookies if name != "ikiro_csrf"} == set()


def test_health__of_the_console__says_whether_the_gateway_answers(browser: Browser, scripted: Scripted) -> None:
    assert browser.get("/healthz").status_code == 200
    assert browser.get("/readyz").status_code == 200
    scripted.on("GET", "/healthz", problem(503, "starting"))
    assert browser.get("/readyz").status_code == 503


def test_health__no_gateway__is_not_ready(browser: Browser, settings: Any) -> None:
    from console.gateway import http

    settings.IKIRO_GATEWAY_URL, http._client = "http://127.0.0.1:9", None
    assert browser.get("/healthz").status_code == 200
    answer = browser.get("/readyz")
    assert (answer.status_code, answer.json()["gateway"]) == (503, "nothing answers at this address")
    http._client = None
