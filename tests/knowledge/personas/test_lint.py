"""Which cartridges may be published, and what is said about the others."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from gateway.knowledge.personas import lint
from gateway.knowledge.personas.defaults import default_cartridge
from gateway.knowledge.personas.types import Cartridge

DELETE = object()


def changed(*path: Any, to: Any) -> dict[str, Any]:
    """The default cartridge with one place changed or, with DELETE, removed."""
    raw = copy.deepcopy(default_cartridge("Acme"))
    place: Any = raw
    for part in path[:-1]:
        place = place[part]
    if to is DELETE:
        del place[path[-1]]
    else:
        place[path[-1]] = to
    return raw


def test_schema__itself__is_draft_2020_12() -> None:
    Draft202012Validator.check_schema(lint.SCHEMA)
    assert lint.SCHEMA["additionalProperties"] is False


def test_check__default_cartridge__has_nothing_to_say() -> None:
    assert lint.check(default_cartridge("Ann & Söhne")) == []


def test_check__minimal_document__passes_its_schema() -> None:
    raw = {
        "id": "p", "owner": {"type": "org", "ownerId": "o"}, "precedence": 0,
        "style": {"tone": "formal", "formality": "low", "emoji": "none"}, "behavior": {"do": [], "dont": []},
        "toolPrefs": {"preferRecallBeforeAnswer": False}, "meta": {"version": "1"},
    }  # fmt: skip
    assert [(finding.rule, finding.pointer) for finding in lint.check(raw)] == [("safety-redirect", "/safetyRedirects")]
    assert Cartridge.of(raw).safety_redirects == ()


@pytest.mark.parametrize(
    ("raw", "pointer", "rule"),
    [
        (changed("id", to=DELETE), "", "schema.required"),
        (changed("id", to=""), "/id", "schema.minLength"),
        (changed("colour", to="red"), "", "schema.additionalProperties"),
        (changed("owner", "type", to="king"), "/owner/type", "schema.enum"),
        (changed("precedence", to=101), "/precedence", "schema.maximum"),
        (changed("precedence", to=1.5), "/precedence", "schema.type"),
        (changed("style", "formality", to="extreme"), "/style/formality", "schema.enum"),
        (changed("style", "emoji", to=DELETE), "/style", "schema.required"),
        (changed("behavior", "do", to=["x"] * 11), "/behavior/do", "schema.maxItems"),
        (changed("behavior", "dont", to=[1]), "/behavior/dont/0", "schema.type"),
        (changed("examples", to=[{"user": "a", "assistant": "b"}] * 6), "/examples", "schema.maxItems"),
        (changed("toolPrefs", to={}), "/toolPrefs", "schema.required"),
        (changed("safetyRedirects", 0, "redirect", to="x" * 241), "/safetyRedirects/0/redirect", "schema.maxLength"),
        (changed("meta", "version", to=1), "/meta/version", "schema.type"),
        (changed("id", to="with space"), "/id", "id-slug"),
        (changed("id", to="a@2"), "/id", "id-slug"),
        (changed("id", to="x" * 65), "/id", "id-slug"),
        (changed("examples", to=[{"user": "a" * 400, "assistant": "b" * 401}]), "/examples", "examples-length"),
        (changed("safetyRedirects", to=[]), "/safetyRedirects", "safety-redirect"),
        (changed("safetyRedirects", to=DELETE), "/safetyRedirects", "safety-redirect"),
        (changed("safetyRedirects", 0, "pattern", to="(a+)+$"), "/safetyRedirects/0/pattern", "redirect-words"),
        (changed("meta", "notes", to="ask ann@example.com"), "/meta/notes", "pii-email"),
        (changed("behavior", "do", to=["Call +49 170 1234567"]), "/behavior/do/0", "pii-phone"),
        (changed("meta", "notes", to="x" * 33_000), "", "document-size"),
        (changed("meta", "extra", to={"a": ["b\0"]}), "/meta/extra/a/0", "storable"),
        (changed("meta", "extra", to=float("nan")), "/meta/extra", "storable"),
        (changed("meta", "a/b~\ud800", to=1), "/meta/a~1b~0\ud800", "storable"),
    ],
)
def test_check__one_error__is_found_at_its_place(raw, pointer, rule) -> None:
    assert [(finding.pointer, finding.rule) for finding in lint.errors(lint.check(raw))] == [(pointer, rule)]


def test_check__several_errors__are_all_found() -> None:
    raw = changed("style", to={"tone": 1})
    raw["precedence"] = "high"
    assert sorted(finding.pointer for finding in lint.check(raw)) == ["/precedence", "/style", "/style", "/style/tone"]


@pytest.mark.parametrize(
    ("raw", "pointer", "rule"),
    [
        (changed("style", "tone", to="warm, playful"), "/style/tone", "tone-known"),
        (changed("behavior", "do", to=["Invent facts about the person "]), "/behavior/do/0", "do-and-dont"),
    ],
)
def test_check__advice__is_a_warning(raw, pointer, rule) -> None:
    (finding,) = lint.check(raw)
    assert (finding.pointer, finding.rule, finding.severity) == (pointer, rule, "warning")
    assert finding.fix


def test_check__compound_of_known_tones__is_fine() -> None:
    assert lint.check(changed("style", "tone", to="friendly and concise")) == []


def test_check__very_deep_open_object__is_bounded() -> None:
    deep: Any = "x"
    for _ in range(900):
        deep = [deep]
    assert lint.check(changed("meta", "extra", to=deep)) == []


@pytest.mark.parametrize("raw", [None, [], "x", 1])
def test_check__no_object__is_an_error(raw) -> None:
    assert [finding.rule for finding in lint.check(raw)] == ["schema.type"]
