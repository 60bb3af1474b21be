"""Which provider answers for a model name, for one organization.

A name is ``provider/model``, an alias, or a bare model of the provider called ``openai``. The organization's own
providers come first and hide the platform's of the same name; its aliases hide the platform's. Platform credentials
come from ``settings.IKIRO_PROVIDERS``; they are the operator's, so their addresses are trusted. Which of an alias's
targets a call goes to is decided above, in ``gateway.engine.routing``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings

from gateway.core.versioned import MOST
from gateway.platform.providers import snapshots
from gateway.platform.providers.anthropic_wire import AnthropicWire
from gateway.platform.providers.catalogue import ModelInfo
from gateway.platform.providers.entries import BUILT_IN, PLATFORM, Entry, Route
from gateway.platform.providers.errors import ModelNotFound
from gateway.platform.providers.openai_wire import OpenAIWire
from gateway.platform.providers.sandbox import Sandbox
from gateway.platform.providers.sandbox.model import MODEL as SANDBOX_MODEL
from gateway.platform.providers.stored import DEFAULT_URLS, Kind, RouteSpec
from gateway.platform.providers.wire import timeouts_of
from tenants.directory import directory
from tenants.types import Organization, OrgRef

SANDBOX = f"ikiro/{SANDBOX_MODEL}"
_BARE = "openai"
_WIRES: dict[str, type[OpenAIWire] | type[AnthropicWire]] = {"openai": OpenAIWire, "anthropic": AnthropicWire}


class Registry:
    """The platform's providers of one configuration. Holds no state but theirs."""

    def __init__(self, configuration: Mapping[str, Mapping[str, Any]], aliases: Mapping[str, Any]) -> None:
        self.entries: dict[str, Entry] = {"ikiro": Entry(Sandbox(), BUILT_IN, "ikiro")}
        self.aliases = {alias: RouteSpec.read(value) for alias, value in aliases.items()}
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
    aliases: dict[str, Any] = settings.IKIRO_MODEL_ALIASES
    if _current is None or _current[0] != (configuration, aliases):
        kept = {name: dict(fields) for name, fields in configuration.items()}, dict(aliases)
        _current = (kept, Registry(configuration, aliases))
    return _current[1]


@dataclass(frozen=True, slots=True)
class Configuration:
    """Everything that names can lead to for one organization: its own laid over the platform's."""

    ref: OrgRef
    entries: Mapping[str, Entry]
    aliases: Mapping[str, RouteSpec]

    def led(self, model: str, *, alias: str | None = None, asked: str | None = None) -> Route:
        """Where a full or bare name leads. Raises ModelNotFound saying what there is; ``asked`` is the name to speak
        of."""
        prefix, slash, rest = (model if "/" in model else f"{_BARE}/{model}").partition("/")
        entry = self.entries.get(prefix)
        if entry is None or not slash or not rest or (prefix == "ikiro" and rest != SANDBOX_MODEL):
            known = ", ".join(self._known())
            told = f"There is no model {asked or model!r} here. Available: {known}."
            raise ModelNotFound(told, extra={"param": "model"})
        return Route(entry, rest, f"{prefix}/{rest}", alias, self.ref)

    def spec(self, name: str) -> RouteSpec | None:
        """What an alias stands for; None for any other name."""
        return None if "/" in name else self.aliases.get(name)

    def knows(self, name: str) -> bool:
        """Whether the name is an alias, or a provider's."""
        return name in self.aliases or (name.partition("/")[0] if "/" in name else _BARE) in self.entries

    def _known(self) -> Iterable[str]:
        yield SANDBOX
        yield from sorted(self.aliases)
        yield from (f"{name}/*" for name in sorted(self.entries) if name != "ikiro")


_merged: dict[UUID, tuple[snapshots.Snapshot, Registry, Configuration]] = {}


async def configured_for(organization: Organization, name: str) -> Configuration:
    """As ``configuration``, but a name that is not known here is looked for in the database once before it is refused:
    another worker may have been given it a moment ago."""
    found = await configuration(organization)
    if found.knows(name):
        return found
    newer = await directory.find(lambda: _newer(organization))
    return found if newer is None else await configuration(newer)


def _newer(organization: Organization) -> Organization | None:
    known = directory.organization(organization.ref.id)
    return known if known is not None and known.version > organization.version else None


async def configuration(organization: Organization) -> Configuration:
    """What is configured for this organization now. Without I/O, unless its configuration has changed since it was last
    used here. Raises Unavailable when it cannot be read."""
    own, common = await snapshots.of(organization), platform()
    known = _merged.get(organization.ref.id)
    if known is not None and known[0] is own and known[1] is common:
        return known[2]
    made = Configuration(organization.ref, {**common.entries, **own.entries}, {**common.aliases, **own.aliases})
    while len(_merged) >= MOST:
        del _merged[next(iter(_merged))]
    _merged[organization.ref.id] = own, common, made
    return made


async def route(organization: Organization, name: str) -> Route:
    """Where this name leads for this organization, an alias to its first target.

    Raises ModelNotFound, Forbidden for a disabled provider, Unavailable when the configuration cannot be read.
    """
    found = await configured_for(organization, name)
    spec = found.spec(name)
    led = found.led(spec.targets[0].model if spec else name, alias=name if spec else None, asked=name)
    led.entry.check()
    return led


async def available(organization: Organization, *, patience_s: float = 0.0) -> tuple[ModelInfo, ...]:
    """What this organization can ask for now: the sandbox first, then the aliases, then each provider's models as it
    lists them, or ``name/*`` as long as its list is not known. Lists are fetched in background; ``patience_s`` is how
    long to wait for those that were never seen.
    """
    found_here = await configuration(organization)
    entries = {name: entry for name, entry in found_here.entries.items() if entry.usable}
    wires = [entries[name] for name in sorted(entries) if name != "ikiro"]
    for entry in wires:
        entry.catalogue.refresh()
    for entry in wires:
        patience_s = await entry.catalogue.wait(patience_s)
    found = [ModelInfo(SANDBOX, "ikiro", name="Ikiro sandbox")]
    for alias, spec in sorted(found_here.aliases.items()):
        model = next((one for one in spec.models if one.partition("/")[0] in entries), None)
        if model is not None:
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
