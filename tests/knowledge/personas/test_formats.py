"""The two formats: what each takes, and that nothing is lost on the way there and back."""

from __future__ import annotations

import copy
import json

import pytest
from jsonschema import Draft202012Validator

from gateway.knowledge.personas import formats, lint
from gateway.knowledge.personas.defaults import default_cartridge
from gateway.knowledge.personas.templates import TEMPLATES, cartridge

RICH = cartridge("companion", owner_id="Acme") | {"x-acme": {"shelf": [1, 2.5, None]}}


@pytest.mark.parametrize("name", ["1.1", "1.2"])
def test_schema__of_each_format__is_draft_2020_12_with_a_closed_root_and_its_address(name) -> None:
    schema = formats.SCHEMAS[name]
    Draft202012Validator.check_schema(schema)
    assert schema["additionalProperties"] is False
    assert schema["$id"].endswith(f"/schemas/persona-cartridge-{name}.json")


def test_schema_1_1__its_fields_and_limits__are_those_of_the_specification() -> None:
    schema = formats.SCHEMAS["1.1"]
    fields = schema["properties"]
    assert set(schema["required"]) == {"id", "owner", "precedence", "style", "behavior", "toolPrefs", "meta"}
    assert set(fields) == set(schema["required"]) | {"examples", "safetyRedirects"}
    assert fields["id"]["minLength"] == 1
    assert fields["owner"]["properties"]["type"]["enum"] == ["user", "org", "brand", "team"]
    assert (fields["precedence"]["type"], fields["precedence"]["minimum"], fields["precedence"]["maximum"]) == (
        "integer", 0, 100,
    )  # fmt: skip
    style = fields["style"]
    assert style["required"] == ["tone", "formality", "emoji"]
    assert [style["properties"][name]["enum"] for name in ("formality", "emoji", "slang")] == [
        ["low", "medium", "high"], ["none", "minimal", "regular"], ["none", "light", "heavy"],
    ]  # fmt: skip
    assert [fields["behavior"]["properties"][name]["maxItems"] for name in ("do", "dont")] == [10, 10]
    assert fields["examples"]["maxItems"] == 5
    assert fields["safetyRedirects"]["items"]["properties"]["redirect"]["maxLength"] == 240
    nested = [value for value in fields.values() if value.get("type") == "object"]
    assert all("additionalProperties" not in value for value in nested)


def test_schema_1_2__every_1_1_document__is_one() -> None:
    old, new = formats.SCHEMAS["1.1"], formats.SCHEMAS["1.2"]
    assert new["required"] == old["required"]
    assert {name: new["properties"][name] for name in old["properties"]} == old["properties"]
    assert set(new["properties"]) - set(old["properties"]) == {"stages", "continuation", "modes"}


@pytest.mark.parametrize("name", TEMPLATES)
def test_convert__there_and_back__is_the_same_document(name) -> None:
    raw = cartridge(name, owner_id="Acme")
    before = copy.deepcopy(raw)
    down = formats.convert(raw, "1.1")
    assert lint.errors(lint.check(down.raw, form="1.1")) == []
    assert formats.convert(down.raw, "1.2").raw == before == raw
    assert formats.digest(formats.convert(down.raw, "1.2").raw) == formats.digest(raw)


def test_convert__of_1_2__says_what_a_reader_of_1_1_passes_by() -> None:
    down = formats.to_1_1(RICH)
    assert down.carried == tuple(
        f"/meta/x-cartridge-1.2/{name}" for name in ("continuation", "modes", "stages", "x-acme")
    )
    assert formats.format_of(RICH) == "1.2"
    assert formats.format_of(down.raw) == "1.1"
    assert formats.to_1_1(default_cartridge("Acme")) == formats.Converted(default_cartridge("Acme"))


@pytest.mark.parametrize(
    "aside", [{}, [], "x", {"id": "other"}, {"stages": {}, "style": {}}, {"stages": {"friend": {"tone": "x"}}}]
)
def test_to_1_2__what_was_not_put_aside_by_us__stays(aside) -> None:
    raw = copy.deepcopy(RICH)
    raw["meta"][formats.CARRIED] = aside
    assert formats.to_1_2(raw).raw == raw


def test_canonical__order_spelling_and_blanks__do_not_matter() -> None:
    raw = json.loads('{"b": [1.0, 1e2], "a": "\\u00e9"}')
    assert formats.canonical(raw) == '{"a":"é","b":[1,100]}'.encode()
    assert formats.canonical(json.loads('{"a":"é","b":[1,100]}')) == formats.canonical(raw)
    assert formats.digest(raw) != formats.digest({**raw, "b": [1, 100.5]})
