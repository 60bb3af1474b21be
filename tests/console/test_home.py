"""The landing page: honest words, no code from anywhere, readable without a script."""

from __future__ import annotations

import asyncio
import re

import pytest
from django.http import Http404, HttpResponse
from django.test import RequestFactory

from console import views
from console.security import CONTENT_SECURITY_POLICY
from tests.architecture.tree import ROOT

_INLINE = re.compile(r"<script|<style|\sstyle=|\son[a-z]+=|javascript:|https?://(?!testserver)", re.I)


def _home(method: str = "GET") -> HttpResponse:
    return asyncio.run(views.home(RequestFactory().generic(method, "/")))


def _asset(name: str, **headers: str) -> HttpResponse:
    return asyncio.run(views.asset(RequestFactory().get(f"/static/{name}", headers=headers), name))


def test_home__get__shows_the_first_call_with_its_own_address() -> None:
    page = _home().content.decode()
    assert "curl http://testserver/v1/chat" in page
    for link in ("/v1/openapi.json", "/readyz", "/healthz"):
        assert f'href="{link}"' in page


def test_home__its_html__holds_nothing_inline_and_nothing_foreign() -> None:
    assert _INLINE.findall(_home().content.decode()) == []


def test_home__its_answer__carries_the_strict_policy() -> None:
    response = _home()
    assert response["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    assert CONTENT_SECURITY_POLICY.startswith("default-src 'none'; ")
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["X-Frame-Options"] == "DENY"


def test_home__post__is_405() -> None:
    assert _home("POST").status_code == 405


@pytest.mark.parametrize(("name", "kind"), [("home.css", "text/css; charset=utf-8"), ("icon.svg", "image/svg+xml")])
def test_asset__known_name__is_sent_once(name: str, kind: str) -> None:
    first = _asset(f"console/{name}")
    assert first.content == (ROOT / "static" / "console" / name).read_bytes()
    assert first["Content-Type"] == kind
    again = _asset(f"console/{name}", if_none_match=first["ETag"])
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("name", ["nothing.css", "../console/views.py", "console/../../manage.py", ""])
def test_asset__unknown_name_or_path_outside__is_404(name: str) -> None:
    with pytest.raises(Http404):
        _asset(name)


def test_style_sheet__both_colour_schemes__define_the_same_tokens() -> None:
    css = (ROOT / "static/console/home.css").read_text()
    light, dark = css.split("@media (prefers-color-scheme: dark)")
    wanted = {"--bg", "--surface", "--surface-2", "--line", "--text", "--text-2", "--accent", "--accent-hover"}
    assert wanted <= set(re.findall(r"--[a-z0-9-]+(?=:)", light))
    assert wanted == set(re.findall(r"--[a-z0-9-]+(?=:)", dark))
