"""Which cartridges may be published, and what is said about the others."""

from __future__ import annotations

import copy
import re
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from gateway.core import ids
from gateway.knowledge.personas import lint
from gateway.knowledge.personas.defaults import default_cartridge
from gateway.knowledge.personas.templates import TEMPLATES, cartridge
from gateway.knowledge.personas.types import Cartridge
from tests.architecture.tree import ROOT

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


@given(st.uuids())
def test_check__what_is_generated_here__has_nothing_to_say_whatever_the_organizations_id(org_id: UUID) -> None:
    owner_id = ids.public("org", org_id)
    for raw in (default_cartridge(owner_id), *(cartridge(name, owner_id=owner_id) for name in TEMPLATES)):
        assert lint.check(raw) == []


def test_check__minimal_document__passes_its_schema() -> None:
    raw = {
        "id": "p", "owner": {"type": "org", "ownerId": "o"}, "precedence": 0,
        "style": {"tone": "formal", "formality": "low", "emoji": "none"}, "behavior": {"do": [], "dont": []},
        "toolPrefs": {"preferRecallBeforeAnswer": False}, "meta": {"version": "1"},
    }  # fmt: skip
    found = lint.check(raw)
    assert [(finding.rule, finding.pointer) for finding in lint.errors(found)] == [
        ("safety-redirect", "/safetyRedirects")
    ]
    assert [(finding.severity, finding.rule) for finding in found[1:]] == [
        ("advice", "clarifying-question"), ("advice", "example-pressure"),
    ]  # fmt: skip
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


_ASK = "Ask one clarifying question when the request is ambiguous"


@pytest.mark.parametrize(
    ("raw", "pointer", "rule", "severity"),
    [
        (changed("style", "tone", to="warm, playful"), "/style/tone", "tone-known", "warning"),
        (changed("style", "tone", to=" "), "/style/tone", "tone-known", "warning"),
        (changed("style", "tone", to="friendly and concise"), "/style/tone", "tone-compound", "warning"),
        (changed("stages", to={"friend": {"tone": "as warm as an old friend can be"}}),
         "/stages/friend/tone", "tone-wordy", "advice"),
        (changed("behavior", "do", to=[_ASK, "Invent facts about the person "]),
         "/behavior/do/1", "do-and-dont", "warning"),
        (changed("behavior", "do", to=[_ASK, "Always invent facts about the person."]),
         "/behavior/do/1", "do-and-dont", "warning"),
        (changed("stages", to={"friend": {"do": ["Invent facts about the person"]}}),
         "/stages/friend/do/0", "do-and-dont", "warning"),
        (changed("behavior", "do", to=[_ASK, " "]), "/behavior/do/1", "rule-blank", "warning"),
        (changed("behavior", "do", to=[_ASK, "Be nice and helpful"]), "/behavior/do/1", "rule-concrete", "advice"),
        (changed("behavior", "dont", 0, to="Never " + "say it again and " * 6),
         "/behavior/dont/0", "rule-short", "advice"),
        (changed("behavior", "do", to=["Answer in short sentences"]), "/behavior/do", "clarifying-question", "advice"),
        (changed("safetyRedirects", 0, "pattern", to="zebra|quux"), "/safetyRedirects", "redirect-domain", "advice"),
        (changed("examples", to=[]), "/examples", "example-pressure", "advice"),
        (changed("examples", 1, "assistant", to="Hey, I fix it."), "/examples/1/assistant", "examples-tone", "warning"),
        (changed("meta", "notes", to="Customer 123456789"), "/meta/notes", "pii-number", "warning"),
        (changed("meta", "notes", to="Host 10.1.2.3"), "/meta/notes", "pii-ip", "warning"),
    ],
)  # fmt: skip
def test_check__what_is_no_error__is_found_at_its_place_with_a_fix(raw, pointer, rule, severity) -> None:
    (finding,) = lint.check(raw)
    assert (finding.pointer, finding.rule, finding.severity) == (pointer, rule, severity)
    assert finding.fix


def test_check__emoji_asked_for_and_forbidden__is_a_conflict_also_in_examples() -> None:
    raw = changed("behavior", "do", to=[_ASK, "Use emoji"])
    raw["style"]["emoji"] = "none"
    raw["examples"][0]["assistant"] = "Two things \U0001f600"
    assert [(finding.pointer, finding.rule) for finding in lint.check(raw)] == [
        ("/behavior/do/1", "do-and-dont"), ("/examples/0/assistant", "examples-tone"),
    ]  # fmt: skip


def test_check__the_same_word_in_two_redirects__is_told_of_the_later() -> None:
    raw = default_cartridge("Acme")
    raw["safetyRedirects"].append({"pattern": "tax|MÉDICAL", "redirect": "Not here."})
    (finding,) = lint.check(raw)
    assert (finding.pointer, finding.rule) == ("/safetyRedirects/1/pattern", "redirect-twice")


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("Pay with 4111 1111 1111 1111", "pii-id"),
        ("SSN 123-45-6789", "pii-id"),
        ("IBAN DE89 3704 0044 0532 0130 00", "pii-id"),
        ("-----BEGIN PRIVATE KEY-----", "pii-secret"),
        ("write {{email}} or call {{phone}}, order 12345678", None),
    ],
)
def test_check__personal_data_in_an_example__is_an_error(text, rule) -> None:
    found = lint.check(changed("examples", 0, "assistant", to=text))
    assert [(finding.pointer, finding.rule) for finding in found] == ([("/examples/0/assistant", rule)] if rule else [])


@pytest.mark.parametrize(
    ("raw", "pointer", "rule"),
    [
        (changed("stages", to={}), "/stages", "schema.minProperties"),
        (changed("stages", to={"lover": {"tone": "x"}}), "/stages", "schema.additionalProperties"),
        (changed("stages", to={"friend": {}}), "/stages/friend", "schema.minProperties"),
        (changed("stages", to={"friend": {"tone": "x" * 201}}), "/stages/friend/tone", "schema.maxLength"),
        (changed("stages", to={"friend": {"do": ["x"] * 6}}), "/stages/friend/do", "schema.maxItems"),
        (changed("continuation", to={}), "/continuation", "schema.required"),
        (changed("continuation", to={"enabled": True, "probability": 1.1}),
         "/continuation/probability", "schema.maximum"),
        (changed("continuation", to={"enabled": True, "types": ["share", "share"]}),
         "/continuation/types", "schema.uniqueItems"),
        (changed("continuation", to={"enabled": True, "types": []}), "/continuation/types", "schema.minItems"),
        (changed("modes", to={"crowd": {"tone": "x"}}), "/modes", "schema.additionalProperties"),
        (changed("x-", to=1), "", "schema.additionalProperties"),
        (changed("id", to="lint"), "/id", "id-reserved"),
    ],
)  # fmt: skip
def test_check__what_1_2_added__has_limits_too(raw, pointer, rule) -> None:
    assert [(finding.pointer, finding.rule) for finding in lint.errors(lint.check(raw))] == [(pointer, rule)]


def test_check__a_1_2_document_as_1_1__is_refused_for_its_closed_root() -> None:
    raw = changed("x-acme", to={"any": ["thing"]})
    assert lint.check(raw) == []
    assert [finding.rule for finding in lint.check(raw, form="1.1")] == ["schema.additionalProperties"]


def test_check__of_another_persona__is_an_error() -> None:
    (finding,) = lint.check(default_cartridge("Acme"), persona_id="sage")
    assert (finding.pointer, finding.rule, finding.severity) == ("/id", "id-matches", "error")


def test_catalogue__its_rules__are_all_that_the_code_names_and_the_page_lists() -> None:
    source = "".join(path.read_text() for path in (ROOT / "gateway/knowledge/personas").glob("lint*.py"))
    named = set(re.findall(r'RULES\["([a-z-]+)"\]', source)) | set(re.findall(r'"(pii-[a-z]+)"', source))
    keywords = {f"schema.{keyword}" for schema in lint.SCHEMAS.values() for keyword in _keywords(schema)}
    assert set(lint.RULES) == named | keywords
    page = (ROOT / "docs/reference/cartridge.md").read_text()
    listed = {
        (cells[0], cells[1])
        for line in page.splitlines()
        if re.match(r"\| `(schema\.)?[\w-]+` \| (error|warning|advice) ", line)
        and len(cells := [cell.strip(" `") for cell in line.split("|")[1:-1]]) == 4
    }
    assert listed == {(rule.id, rule.severity) for rule in lint.RULES.values()}


def _keywords(schema: Any) -> set[str]:
    """Every keyword that can be broken, wherever it stands in a schema."""
    if isinstance(schema, list):
        return set().union(*map(_keywords, schema), set())
    if not isinstance(schema, dict):
        return set()
    says_nothing = {"$schema", "$id", "$ref", "$defs", "title", "description", "default", "properties", "items"}
    found = set(schema) - says_nothing - {"patternProperties"}
    inner = [*schema.get("properties", {}).values(), *schema.get("$defs", {}).values()]
    return found.union(*map(_keywords, inner), _keywords(schema.get("items")))


def test_check__very_deep_open_object__is_refused() -> None:
    deep: Any = "x"
    for _ in range(900):
        deep = [deep]
    assert [finding.rule for finding in lint.check(changed("meta", "extra", to=deep))] == ["document-depth"]


@pytest.mark.parametrize("raw", [None, [], "x", 1])
def test_check__no_object__is_an_error(raw) -> None:
    assert [finding.rule for finding in lint.check(raw)] == ["schema.type"]
