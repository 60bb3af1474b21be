"""A form from elsewhere does nothing, and says so."""

from __future__ import annotations

import re

import pytest

from tests.console.conftest import Browser

_TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="(\w+)"')
_HEADERS = re.compile(r"hx-headers='\{\"X-CSRFToken\": \"(\w+)\"\}'")
DARK = {"name": "theme", "value": "dark"}


@pytest.fixture
def strict() -> Browser:
    return Browser(csrf=True)


def test_post__without_a_token__is_403_and_changes_nothing(strict: Browser) -> None:
    answer = strict.post("/preferences", DARK)
    assert answer.status_code == 403
    assert "<code>csrf_failed</code>" in answer.content.decode()
    assert "ikiro_theme" not in strict.client.cookies


def test_post__without_a_token_by_htmx__is_a_fragment(strict: Browser) -> None:
    text = strict.post("/preferences", DARK, htmx="form").content.decode()
    assert "This form is too old" in text
    assert "<html" not in text


def test_post__with_the_form_token__works(strict: Browser) -> None:
    token = _TOKEN.search(strict.get("/").content.decode())
    assert token
    assert strict.post("/preferences", {**DARK, "csrfmiddlewaretoken": token[1]}).status_code == 303
    assert strict.client.cookies["ikiro_theme"].value == "dark"


def test_post__with_the_header_of_the_body_element__works(strict: Browser) -> None:
    token = _HEADERS.search(strict.get("/").content.decode())
    assert token
    answer = strict.post("/preferences", DARK, htmx="form", headers={"X-CSRFToken": token[1]})
    assert answer.status_code == 204


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://testserver.evil.example"])
def test_post__from_another_origin__is_403(origin: str, strict: Browser) -> None:
    token = _TOKEN.search(strict.get("/").content.decode())
    assert token
    answer = strict.post("/preferences", {**DARK, "csrfmiddlewaretoken": token[1]}, headers={"Origin": origin})
    assert answer.status_code == 403
    assert "ikiro_theme" not in strict.client.cookies
