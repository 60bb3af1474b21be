"""Which cartridges may be published, and what is said about the others."""

from __future__ import annotations

import copy
import re
import time
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from gateway.core import ids
from gateway.knowledge.personas import lint, lint_schema
from gateway.knowledge.personas.defaults import default_cartridge
from gateway.knowledge.personas.lint_bounds import MAX_DEPTH
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
        (changed("id", to=DELETE), "/id", "schema.required"),
        (changed("id", to=""), "/id", "schema.minLength"),
        (changed("col~our/s", to="red"), "/col~0our~1s", "schema.additionalProperties"),
        (changed("owner", "type", to="king"), "/owner/type", "schema.enum"),
        (changed("precedence", to=101), "/precedence", "schema.maximum"),
        (changed("precedence", to=1.5), "/precedence", "schema.type"),
        (changed("style", "formality", to="extreme"), "/style/formality", "schema.enum"),
        (changed("style", "emoji", to=DELETE), "/style/emoji", "schema.required"),
        (changed("behavior", "do", to=["x"] * 11), "/behavior/do", "schema.maxItems"),
        (changed("behavior", "dont", to=[1]), "/behavior/dont/0", "schema.type"),
        (changed("examples", to=[{"user": "a", "assistant": "b"}] * 6), "/examples", "schema.maxItems"),
        (changed("toolPrefs", to={}), "/toolPrefs/preferRecallBeforeAnswer", "schema.required"),
        (changed("safetyRedirects", 0, "redirect", to="x" * 241), "/safetyRedirects/0/redirect", "schema.maxLength"),
        (changed("meta", "version", to=1), "/meta/version", "schema.type"),
        (changed("id", to="with space"), "/id", "id-slug"),
        (changed("id", to="a@2"), "/id", "id-slug"),
        (changed("id", to="x" * 65), "/id", "id-slug"),
        (changed("examples", to=[{"user": "a" * 400, "assistant": "b" * 401}]), "/examples", "examples-length"),
        (changed("safetyRedirects", to=[]), "/safetyRedirects", "safety-redirect"),
        (changed("safetyRedirects", to=DELETE), "/safetyRedirects", "safety-redirect"),
        (changed("safetyRedirects", 0, "redirect", to=""), "/safetyRedirects/0/redirect", "redirect-blank"),
        (changed("safetyRedirects", 0, "redirect", to=" \u200b\n"), "/safetyRedirects/0/redirect", "redirect-blank"),
        (changed("safetyRedirects", 0, "pattern", to=""), "/safetyRedirects/0/pattern", "schema.minLength"),
        (changed("safetyRedirects", 0, "pattern", to=" | "), "/safetyRedirects/0/pattern", "redirect-words"),
        (changed("examples", 0, "assistant", to="\t"), "/examples/0/assistant", "example-blank"),
        (changed("examples", 0, "user", to=""), "/examples/0/user", "example-blank"),
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
    assert sorted(finding.pointer for finding in lint.errors(lint.check(raw))) == [
        "/precedence",
        "/style/emoji",
        "/style/formality",
        "/style/tone",
    ]


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
        (changed("stages", to={"lover": {"tone": "x"}}), "/stages/lover", "schema.additionalProperties"),
        (changed("stages", to={"friend": {}}), "/stages/friend", "schema.minProperties"),
        (changed("stages", to={"friend": {"tone": "x" * 201}}), "/stages/friend/tone", "schema.maxLength"),
        (changed("stages", to={"friend": {"do": ["x"] * 6}}), "/stages/friend/do", "schema.maxItems"),
        (changed("continuation", to={}), "/continuation/enabled", "schema.required"),
        (changed("continuation", to={"enabled": True, "probability": 1.1}),
         "/continuation/probability", "schema.maximum"),
        (changed("continuation", to={"enabled": True, "types": ["share", "share"]}),
         "/continuation/types", "schema.uniqueItems"),
        (changed("continuation", to={"enabled": True, "types": []}), "/continuation/types", "schema.minItems"),
        (changed("modes", to={"crowd": {"tone": "x"}}), "/modes/crowd", "schema.additionalProperties"),
        (changed("x-", to=1), "/x-", "schema.additionalProperties"),
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
    (finding,) = lint.check(changed("meta", "extra", to=deep))
    assert (finding.pointer, finding.rule) == ("/meta/extra" + "/0" * (MAX_DEPTH - 2), "document-depth")


@pytest.mark.parametrize(
    "raw",
    [
        changed("behavior", "do", to=list(range(300_000))),
        changed("safetyRedirects", to=[{"pattern": "a", "redirect": ""}] * 20_000),
        {"colour": "x" * 33_000},
    ],
)
def test_check__a_document_beyond_all_bounds__is_told_that_alone(raw) -> None:
    assert [(finding.pointer, finding.rule) for finding in lint.check(raw)] == [("", "document-size")]


@pytest.mark.parametrize(
    "raw",
    [
        changed("behavior", "do", to=[1] * 8_000),
        changed("continuation", to={"enabled": True, "types": [x for n in range(2_000) for x in (n, str(n))]}),
        changed("safetyRedirects", to=[{"pattern": f"a{n}", "redirect": "to b@c.de"} for n in range(600)]),
        changed("meta", "notes", to="password:" * 3_400),
    ],
)
def test_check__the_largest_document_however_wrong__is_looked_over_in_little_time(raw) -> None:
    began = time.process_time()
    lint.check(raw)
    assert time.process_time() - began < 2


def test_look__more_than_can_be_listed__lists_the_first_and_counts_the_rest() -> None:
    verdict = lint.look(changed("behavior", "do", to=[1] * 300))
    assert (len(verdict.findings), verdict.more, verdict.publishable) == (200, 102, False)
    assert verdict.counts == {"error": 301, "warning": 0, "advice": 1}
    assert verdict.findings[1].message == "must be text, not the number 1"


def test_check__one_error_of_the_schema__hides_no_other_rule() -> None:
    raw = changed("colour", to="red")
    raw["shade"], raw["precedence"], raw["id"] = 1, "high", "lint"
    del raw["style"], raw["meta"]["version"]
    raw["safetyRedirects"] = [{"pattern": "a+", "redirect": ""}, 5, {"redirect": "write to ann@example.com"}]
    raw["examples"] = [{"user": "x" * 801, "assistant": 3}]
    raw["behavior"]["do"] = [7, "Be nice", "Invent facts about the person"]
    found = lint.check(raw, persona_id="sage")
    assert [(finding.pointer, finding.rule) for finding in found] == [
        ("/behavior/do/0", "schema.type"), ("/colour", "schema.additionalProperties"),
        ("/examples/0/assistant", "schema.type"), ("/meta/version", "schema.required"), ("/precedence", "schema.type"),
        ("/safetyRedirects/1", "schema.type"), ("/safetyRedirects/2/pattern", "schema.required"),
        ("/shade", "schema.additionalProperties"), ("/style", "schema.required"), ("/id", "id-reserved"),
        ("/examples", "examples-length"), ("/safetyRedirects/0/redirect", "redirect-blank"),
        ("/safetyRedirects/0/pattern", "redirect-words"), ("/safetyRedirects/2/redirect", "pii-email"),
        ("/id", "id-matches"), ("/behavior/do/2", "do-and-dont"), ("/behavior/do/1", "rule-concrete"),
        ("/behavior/do", "clarifying-question"), ("/safetyRedirects", "redirect-domain"),
        ("/examples", "example-pressure"),
    ]  # fmt: skip
    said = " ".join(finding.message for finding in found)
    assert "regex" not in said
    assert "is no field that this format knows here" in said


def test_schema__every_keyword__has_words_of_our_own() -> None:
    keywords = set().union(*map(_keywords, lint.SCHEMAS.values()))
    assert keywords == set(lint_schema.SAID) | {"required", "additionalProperties"}


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_KEYS = st.sampled_from([*default_cartridge("o"), "stages", "modes", "continuation", "x-own"])


@given(st.dictionaries(_KEYS, _JSON, max_size=6), st.dictionaries(_KEYS, _JSON, max_size=2))
def test_check__anything_at_all__is_looked_over_and_never_breaks(raw: dict[str, Any], over: dict[str, Any]) -> None:
    for one in (raw, {**default_cartridge("o"), **over}, {**default_cartridge("o"), "modes": {"group": raw}}):
        found = lint.check(one)
        assert all(finding.pointer == "" or finding.pointer.startswith("/") for finding in found)
        assert (lint.errors(found) == []) <= (not lint.breaks_schema(one))


@pytest.mark.parametrize("raw", [None, [], "x", 1])
def test_check__no_object__is_an_error(raw) -> None:
    assert [finding.rule for finding in lint.check(raw)] == ["schema.type"]
