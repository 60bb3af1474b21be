"""Names to providers, by the configuration in force."""

from __future__ import annotations

import pytest
from django.conf import settings

from gateway.core.errors import NotFound
from gateway.platform.providers import registry
from gateway.platform.providers.openai_wire import OpenAIWire
from gateway.platform.providers.sandbox import Sandbox
from tests.without_django import ensure_settings

ensure_settings()


@pytest.fixture
def configured(monkeypatch):
    def configure(base_url: str = "", api_key: str = "") -> None:
        monkeypatch.setattr(settings, "IKIRO_PROVIDERS", {"openai": {"base_url": base_url, "api_key": api_key}})

    configure()
    return configure


@pytest.mark.usefixtures("configured")
def test_resolve__nothing_configured__knows_the_sandbox_alone():
    provider, model = registry.resolve("ikiro/sandbox")
    assert (type(provider), model) == (Sandbox, "sandbox")
    assert [one.id for one in registry.available_models()] == ["ikiro/sandbox"]
    for name in ("gpt-4o", "openai/gpt-4o", "ikiro/other", "ikiro/", "other/x", "", "/", "sandbox"):
        with pytest.raises(NotFound) as caught:
            registry.resolve(name)
        assert (caught.value.code, caught.value.http_status) == ("model_not_found", 404)
        assert "Available: ikiro/sandbox." in caught.value.detail


@pytest.mark.parametrize(
    ("base_url", "api_key", "url"),
    [
        ("", "sk-x", "https://api.openai.com/v1/chat/completions"),
        ("http://127.0.0.1:9/v1/", "", "http://127.0.0.1:9/v1/chat/completions"),
    ],
)
def test_resolve__openai_configured__answers_for_its_prefix_and_for_bare_names(configured, base_url, api_key, url):
    configured(base_url, api_key)
    for name, model in (("openai/gpt-4o", "gpt-4o"), ("gpt-4o", "gpt-4o"), ("openai/org/model", "org/model")):
        provider, found = registry.resolve(name)
        assert isinstance(provider, OpenAIWire)
        assert (provider._url, found) == (url, model)
    assert [(one.id, one.pattern) for one in registry.available_models()] == [
        ("ikiro/sandbox", False),
        ("openai/*", True),
    ]
    with pytest.raises(NotFound, match=r"openai/\*"):
        registry.resolve("anthropic/claude")


def test_registry__settings_changed__is_rebuilt_and_otherwise_kept(configured):
    before = registry.registry()
    assert registry.registry() is before
    configured("http://127.0.0.1:9/v1")
    assert registry.registry() is not before
