"""Names to providers: by the configuration in force, the organization's own before the platform's."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace
from uuid import UUID

import pytest
from django.conf import settings

from gateway.core.crypto import Secret
from gateway.core.errors import Forbidden, NotFound, Unavailable
from gateway.platform.providers import registry, snapshots
from gateway.platform.providers.anthropic_wire import AnthropicWire
from gateway.platform.providers.entries import ORGANIZATION, Entry
from gateway.platform.providers.openai_wire import OpenAIWire
from gateway.platform.providers.sandbox import Sandbox
from gateway.platform.providers.stored import RouteSpec
from tenants.types import Organization, OrgRef


def organization(number: int) -> Organization:
    ref = OrgRef(UUID(int=number), f"t_{number}")
    made = datetime(2026, 11, 1, tzinfo=UTC)
    return Organization(ref, f"org-{number}", "Org", "free", "ready", None, {}, {}, 1, made)


ACME, GLOBEX = organization(1), organization(2)


@pytest.fixture
def configured(monkeypatch):
    own: dict[Organization, tuple[dict, dict]] = {}

    def configure(*, openai=(), anthropic=(), aliases=None) -> None:
        given = {"openai": openai, "anthropic": anthropic}
        shaped = {name: dict(zip(("base_url", "api_key"), pair, strict=False)) for name, pair in given.items()}
        monkeypatch.setattr(settings, "IKIRO_PROVIDERS", shaped)
        monkeypatch.setattr(settings, "IKIRO_MODEL_ALIASES", aliases or {})

    def belongs(who: Organization, entries: dict[str, Entry], aliases: dict[str, str]) -> None:
        own[who.ref.id] = entries, aliases

    async def snapshot_of(who: Organization) -> snapshots.Snapshot:
        entries, aliases = own.get(who.ref.id, ({}, {}))
        return snapshots.Snapshot(1, entries, {name: RouteSpec.to(model) for name, model in aliases.items()}, {})

    monkeypatch.setattr(snapshots, "of", snapshot_of)
    configure()
    return SimpleNamespace(platform=configure, own=belongs)


def routed(name: str, who: Organization = ACME) -> registry.Route:
    return asyncio.run(registry.route(who, name))


def listed(who: Organization = ACME) -> list[str]:
    return [one.id for one in asyncio.run(registry.available(who))]


def wire(name: str, key: str = "sk-own") -> OpenAIWire:
    return OpenAIWire(name=name, base_url="https://own.example/v1", api_key=Secret(key), trusted=False)


@pytest.mark.usefixtures("configured")
def test_route__nothing_configured__knows_the_sandbox_alone():
    found = routed("ikiro/sandbox")
    assert (type(found.provider), found.model, found.name) == (Sandbox, "sandbox", "ikiro/sandbox")
    assert listed() == ["ikiro/sandbox"]
    for name in ("gpt-4o", "openai/gpt-4o", "ikiro/other", "ikiro/", "other/x", "", "/", "sandbox", "anthropic/x"):
        with pytest.raises(NotFound) as caught:
            routed(name)
        assert (caught.value.code, caught.value.http_status) == ("model_not_found", 404)
        assert "Available: ikiro/sandbox." in caught.value.detail


@pytest.mark.parametrize(
    ("given", "url"),
    [
        (("", "sk-x"), "https://api.openai.com/v1/chat/completions"),
        (("http://127.0.0.1:9/v1/", ""), "http://127.0.0.1:9/v1/chat/completions"),
        (("http://127.0.0.1:9/v1/chat/completions", ""), "http://127.0.0.1:9/v1/chat/completions"),
        (("https://x.openai.azure.com/openai/deployments/d?api-version=1", "k"),
         "https://x.openai.azure.com/openai/deployments/d/chat/completions?api-version=1"),
    ],
)  # fmt: skip
def test_route__openai_configured__answers_for_its_prefix_and_for_bare_names(configured, given, url):
    configured.platform(openai=given)
    for name, model in (("openai/gpt-4o", "gpt-4o"), ("gpt-4o", "gpt-4o"), ("openai/org/model", "org/model")):
        found = routed(name)
        assert isinstance(found.provider, OpenAIWire)
        assert (found.provider._url, found.model, found.name, found.alias) == (url, model, f"openai/{model}", None)
        assert found.entry.credential == "platform"
    with pytest.raises(NotFound, match=r"openai/\*"):
        routed("anthropic/claude")


@pytest.mark.parametrize("given", ["", "https://api.anthropic.com", "https://api.anthropic.com/v1/"])
def test_route__anthropic_configured__answers_for_its_prefix(configured, given):
    configured.platform(anthropic=(given, "sk-ant"))
    found = routed("anthropic/claude-haiku-4-5")
    assert isinstance(found.provider, AnthropicWire)
    assert found.provider._url == "https://api.anthropic.com/v1/messages"


def test_route__own_provider_of_the_same_name__hides_the_platforms_for_that_organization_alone(configured):
    configured.platform(openai=("", "sk-platform"))
    configured.own(ACME, {"openai": Entry(wire("openai"), ORGANIZATION, "https://own.example/v1")}, {})
    mine, theirs = routed("gpt-4o"), routed("gpt-4o", GLOBEX)
    assert (mine.provider.key.reveal(), mine.facts()["credential"]) == ("sk-own", "organization")
    assert (theirs.provider.key.reveal(), theirs.facts()["credential"]) == ("sk-platform", "platform")


def test_route__alias__leads_one_hop_and_the_organizations_comes_first(configured):
    configured.platform(openai=("", "sk-x"), aliases={"fast": "openai/gpt-4o-mini", "gpt-4o": "ikiro/sandbox"})
    configured.own(ACME, {}, {"fast": "ikiro/sandbox", "odd": "nobody/x"})
    assert (routed("fast").name, routed("fast").alias) == ("ikiro/sandbox", "fast")
    assert (routed("fast", GLOBEX).name, routed("fast", GLOBEX).facts()["alias"]) == ("openai/gpt-4o-mini", "fast")
    assert routed("gpt-4o").name == "ikiro/sandbox"
    assert routed("openai/gpt-4o").name == "openai/gpt-4o"
    with pytest.raises(NotFound, match="no model 'odd'"):
        routed("odd")


@pytest.mark.parametrize(("problem", "error", "code"), [
    ("disabled", Forbidden, "provider_disabled"),
    ("The key 'k1' is not on this installation's key ring.", Unavailable, "credential_unreadable"),
])  # fmt: skip
def test_route__own_provider_that_cannot_be_used__never_falls_back_to_the_platforms(configured, problem, error, code):
    configured.platform(openai=("", "sk-platform"))
    configured.own(ACME, {"openai": Entry(wire("openai", ""), ORGANIZATION, "openai", problem=problem)}, {})
    with pytest.raises(error) as caught:
        routed("gpt-4o")
    assert caught.value.code == code
    assert listed() == ["ikiro/sandbox"]
    assert routed("gpt-4o", GLOBEX).provider.key.reveal() == "sk-platform"


def test_platform__settings_changed__is_rebuilt_and_otherwise_kept(configured):
    before = registry.platform()
    assert registry.platform() is before
    configured.platform(openai=("http://127.0.0.1:9/v1",))
    assert registry.platform() is not before


def test_alias__operators_route_document__is_read_and_leads_to_its_first_target(configured):
    document = {"targets": [{"model": "openai/a", "weight": 3}], "fallbacks": ["ikiro/sandbox"], "cache_s": 60}
    configured.platform(openai=("", "sk-x"), aliases={"both": document})
    assert (routed("both").name, routed("both").alias) == ("openai/a", "both")
    spec = registry.platform().aliases["both"]
    assert (spec.models, spec.cache_s, RouteSpec.read(spec.stored())) == (("openai/a", "ikiro/sandbox"), 60, spec)
    with pytest.raises(ValueError, match="at least one target"):
        RouteSpec.read({"targets": []})
