"""The reference names exactly what the code knows: no error code and no variable is missing, none is invented."""

from __future__ import annotations

import re

import pytest

from tests.architecture.tree import ROOT
from tests.docs.vocabulary import documented, error_codes, variables

_LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")


def test_errors_page__against_the_code__lists_every_code_once() -> None:
    code, page = error_codes(), documented("errors.md")
    assert {name: place for name, place in code.items() if name not in page} == {}
    assert page - set(code) == set()


def test_environment_page__against_the_code__lists_every_variable() -> None:
    code, page = variables(), documented("environment.md") - {"PORT"}
    beginnings = tuple(name for name in code if name.endswith("_"))
    exact = {name: place for name, place in code.items() if not name.endswith("_")}
    assert {name: place for name, place in exact.items() if name not in page} == {}
    assert {name for name in page - set(exact) if not name.startswith(beginnings)} == set()


def _pages() -> list[str]:
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
    return sorted(path.relative_to(ROOT).as_posix() for path in pages)


@pytest.mark.parametrize("page", _pages())
def test_page__its_links_to_files__lead_somewhere(page: str) -> None:
    path = ROOT / page
    missing = [link for link in _LINK.findall(path.read_text(encoding="utf-8")) if not (path.parent / link).exists()]
    assert missing == []
