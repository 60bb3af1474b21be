"""Which provider answers for a model name, for one organization.

A name is ``provider/model``, an alias, or a bare model of the provider called ``openai``. The organization's own
providers come first and hide the platform's of the same name; its aliases hide the platform's. Platform credentials
come from ``settings.IKIRO_PROVIDERS``; they are the operator's, so their addresses are trusted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.conf import settings

from gateway.platform.providers import snapshots
from gateway.platform.providers.anthropic_wire import AnthropicWire
from gateway.platform.providers.catalogue import ModelInfo
from gateway.platform.providers.entries import BUILT_IN, PLATFORM, Entry, Route
from gateway.platform.providers.errors import ModelNotFound
from gateway.platform.providers.openai_wire import OpenAIWire
from gateway.platform.providers.sandbox import Sandbox
from gateway.platform.providers.sandbox.model import MODEL as SANDBOX_MODEL
from gateway.platform.providers.stored import DEFAULT_URLS, Kind
from gateway.platform.providers.wire import timeouts_of
from tenants.types import Organization

SANDBOX = f"ikiro/{SANDBOX_MODEL}"
_BARE = "openai"
_WIRES: dict[str, type[OpenAIWire] | type[AnthropicWire]] = {"openai": OpenAIWire, "anthropic": AnthropicWire}


class Registry:
    """The platform's providers of one configuration. Holds no state but theirs."""

    def __init__(self, configuration: Mapping[str, Mapping[str, Any]], aliases: Mapping[str, str]) -> None:
        self.entries: dict[str, Entry] = {"ikiro": Entry(Sandbox(), BUILT_IN, "ikiro")}
        self.aliases = dict(aliases)
        for name, wire in _WIRES.items():
            given = configuration.get(name, {})
            base_url, api_key = str(given.get("base_url") or ""), str(given.get("api_key") or "")
            if base_url or api_key:
                base_url = base_url or DEFAULT_URLS[Kind(name)]
                made = wire(name=name, base_url=base_url, api_key=api_key, trusted=True, timeouts=timeouts_of())
                self.entries[name] = Entry(made, PLATFORM, name)


_current: tuple[tuple[Any, ...], Registry] | None = None


def platform() -> Registry:
    """The platform's registry for the settings as they are now; rebuilt when a test changes them."""
    global _current
    configuration: dict[str, dict[str, Any]] = settings.IKIRO_PROVIDERS
    aliases: dict[str, str] = settings.IKIRO_MODEL_ALIASES
    if _current is None or _current[0] != (configuration, aliases):
        kept = {name: dict(fields) for name, fields in configuration.items()}, dict(aliases)
        _current = (kept, Registry(configuration, aliases))
    return _current[1]


async def route(organization: Organization, name: str) -> Route:
    """Where this name leads for this organization. Without I/O, unless the organization's configuration has changed
    since it was last used here.

    Raises ModelNotFound saying what there is, Forbidden for a disabled provider, Unavailable when the configuration
    cannot be read.
    """
    own, common = await snapshots.of(organization), platform()
    target = name if "/" in name else own.aliases.get(name) or common.aliases.get(name)
    prefix, slash, model = (target or f"{_BARE}/{name}").partition("/")
    entry = own.entries.get(prefix) or common.entries.get(prefix)
    if entry is None or not slash or not model or (prefix == "ikiro" and model != SANDBOX_MODEL):
        known = ", ".join(_known(own, common))
        raise ModelNotFound(f"There is no model {name!r} here. Available: {known}.", extra={"param": "model"})
    entry.check()
    alias = name if "/" not in name and target is not None else None
    return Route(entry, model, f"{prefix}/{model}", alias, organization.ref)


def _known(own: snapshots.Snapshot, common: Registry) -> Iterable[str]:
    yield SANDBOX
    yield from sorted({**common.aliases, **own.aliases})
    yield from (f"{name}/*" for name in sorted({**common.entries, **own.entries}) if name != "ikiro")


async def available(organization: Organization, *, patience_s: float = 0.0) -> tuple[ModelInfo, ...]:
    """What this organization can ask for now: the sandbox first, then the aliases, then each provider's models as it
    lists them, or ``name/*`` as long as its list is not known. Lists are fetched in background; ``patience_s`` is how
    long to wait for those that were never seen.
    """
    own, common = await snapshots.of(organization), platform()
    entries = {name: entry for name, entry in {**common.entries, **own.entries}.items() if entry.usable}
    wires = [entries[name] for name in sorted(entries) if name != "ikiro"]
    for entry in wires:
        entry.catalogue.refresh()
    for entry in wires:
        patience_s = await entry.catalogue.wait(patience_s)
    found = [ModelInfo(SANDBOX, "ikiro", name="Ikiro sandbox")]
    for alias, model in sorted({**common.aliases, **own.aliases}.items()):
        if model.partition("/")[0] in entries:
            found.append(ModelInfo(alias, model.partition("/")[0], name=alias, alias_of=model))
    for entry in wires:
        found += entry.catalogue.models()
    return tuple(found)


async def find(organization: Organization, name: str, *, patience_s: float = 0.0) -> ModelInfo:
    """One model by a name that may be asked for. Raises ModelNotFound, also for one that its provider's list lacks."""
    listed = await available(organization, patience_s=patience_s)
    exact = next((model for model in listed if model.id == name and not model.pattern), None)
    if exact is not None:
        return exact
    led = await route(organization, name)
    exact = next((model for model in listed if model.id == led.name and not model.pattern), None)
    if exact is not None:
        return exact
    if led.entry.catalogue.lacks(led.model):
        raise ModelNotFound(f"{led.provider.name} lists no model {led.model!r}.", extra={"param": "model"})
    return ModelInfo(name, led.provider.name, name=led.model)
