"""Every call that the documentation names exists, with that method."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.urls import get_resolver

from tests.architecture.tree import ROOT
from tests.architecture.urls import routes

_CALL = re.compile(r"\b(GET|POST|PUT|PATCH|DELETE) (/v1/[\w/{}.-]*)")


def _shape(path: str) -> str:
    """A path with its parameters blanked: Django's ``<str:x>`` and the documentation's ``{x}`` alike."""
    return re.sub(r"<[^>]+>|\{[^}]*\}", "{}", path).rstrip("/")


def calls(page: Path) -> set[str]:
    return {f"{method} {_shape(path)}" for method, path in _CALL.findall(page.read_text(encoding="utf-8"))}


def _served() -> set[str]:
    found = set()
    for route in routes(get_resolver("ikiro.urls").url_patterns):
        for operation in route.ninja.operations if route.ninja else ():
            found |= {f"{method} /{_shape(route.path)}" for method in operation.methods}
    return found


def _pages() -> list[str]:
    """The pages about what is; decisions also speak of what will be."""
    pages = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *ROOT.glob("docs/*.md"), *ROOT.glob("docs/[!a]*/**/*.md")]
    return sorted(page.relative_to(ROOT).as_posix() for page in pages if calls(page))


@pytest.mark.parametrize("page", _pages())
def test_page__the_calls_it_names__exist(page: str) -> None:
    assert calls(ROOT / page) - _served() == set()


def test_calls__of_a_page__are_methods_and_shapes(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("`POST /v1/proposals/{id}/approve`, then `GET /v1/chat`.\n")
    assert calls(page) == {"POST /v1/proposals/{}/approve", "GET /v1/chat"}
