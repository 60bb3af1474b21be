"""The reader of the environment refuses at the start what would fail at the first call."""

from __future__ import annotations

import json

import pytest
from django.core.exceptions import ImproperlyConfigured

from ikiro.settings import environment

ROUTE = {"targets": [{"model": "openai/gpt-4o", "weight": 2}], "fallbacks": ["openai/gpt-4o-mini"]}


def test_routes__names_and_documents__are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IKIRO_TEST_ROUTES", json.dumps({"fast": "openai/gpt-4o-mini", "best": ROUTE}))
    assert environment.routes("IKIRO_TEST_ROUTES") == {"fast": "openai/gpt-4o-mini", "best": ROUTE}


@pytest.mark.parametrize("raw", ["fast", '["a"]', '{"a": 1}', '{"a": {}}', '{"a": {"targets": ["x"]}}'])
def test_routes__anything_else__stops_the_start(monkeypatch: pytest.MonkeyPatch, raw: str) -> None:
    monkeypatch.setenv("IKIRO_TEST_ROUTES", raw)
    with pytest.raises(ImproperlyConfigured, match="IKIRO_TEST_ROUTES"):
        environment.routes("IKIRO_TEST_ROUTES")
