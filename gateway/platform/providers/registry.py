"""Which provider answers for a model name. ``provider/model``; without a slash it is the configured OpenAI wire's.

Platform credentials come from ``settings.IKIRO_PROVIDERS``; they are the operator's, so their addresses are trusted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings

from gateway.platform.providers.errors import ModelNotFound
from gateway.platform.providers.openai_wire import OpenAIWire
from gateway.platform.providers.sandbox import Sandbox
from gateway.platform.providers.sandbox.model import MODEL as SANDBOX_MODEL
from gateway.platform.providers.types import Provider

_OPENAI_DEFAULT = "https://api.openai.com/v1"
SANDBOX = f"ikiro/{SANDBOX_MODEL}"


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """One line of ``/v1/models``. ``pattern``: the name stands for every model of that provider (``openai/*``)."""

    id: str
    provider: str
    pattern: bool


class Registry:
    """The providers of one configuration. Holds no state but theirs."""

    def __init__(self, configuration: dict[str, dict[str, Any]]) -> None:
        self._providers: dict[str, Provider] = {"ikiro": Sandbox()}
        openai = configuration.get("openai", {})
        base_url, api_key = str(openai.get("base_url") or ""), str(openai.get("api_key") or "")
        if base_url or api_key:
            self._providers["openai"] = OpenAIWire(
                name="openai", base_url=base_url or _OPENAI_DEFAULT, api_key=api_key, trusted=True
            )

    def resolve(self, name: str) -> tuple[Provider, str]:
        """(the provider, the model's name there). Raises ModelNotFound saying what there is."""
        prefix, slash, model = name.partition("/")
        provider = self._providers.get(prefix if slash else "openai")
        model = model if slash else name
        if provider is None or not model or (prefix == "ikiro" and slash and model != SANDBOX_MODEL):
            known = ", ".join(info.id for info in self.available_models())
            raise ModelNotFound(f"There is no model {name!r} here. Available: {known}.", extra={"param": "model"})
        return provider, model

    def available_models(self) -> tuple[ModelInfo, ...]:
        """What can be asked for now, the sandbox first."""
        wires = sorted(name for name in self._providers if name != "ikiro")
        return (ModelInfo(SANDBOX, "ikiro", False), *(ModelInfo(f"{name}/*", name, True) for name in wires))


_current: tuple[dict[str, dict[str, Any]], Registry] | None = None


def registry() -> Registry:
    """The registry of the settings as they are now; rebuilt when a test changes them."""
    global _current
    configuration: dict[str, dict[str, Any]] = settings.IKIRO_PROVIDERS
    if _current is None or _current[0] != configuration:
        kept = {name: dict(fields) for name, fields in configuration.items()}
        _current = (kept, Registry(configuration))
    return _current[1]


def resolve(name: str) -> tuple[Provider, str]:
    """See ``Registry.resolve``, for the platform's own configuration."""
    return registry().resolve(name)


def available_models() -> tuple[ModelInfo, ...]:
    """See ``Registry.available_models``, for the platform's own configuration."""
    return registry().available_models()
