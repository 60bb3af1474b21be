"""Differences: every one is named, and applying them to the earlier document gives the later one."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.knowledge.personas import diff
from gateway.knowledge.personas.formats import canonical

_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["a", "b", ""]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["a", "b~", "c/d"]), inner, max_size=3),
    max_leaves=12,
)


@settings(deadline=None)
@given(_VALUES)
def test_fields__of_one_document__are_none(value) -> None:
    assert diff.fields(value, copy.deepcopy(value)) == []


@settings(deadline=None)
@given(_VALUES, _VALUES)
def test_fields__of_two_documents__are_none_only_when_they_say_the_same(before, after) -> None:
    assert (diff.fields(before, after) == []) is (canonical(before) == canonical(after))


@settings(deadline=None)
@given(_VALUES, _VALUES)
def test_fields__each_one__is_what_stands_at_its_pointer(before, after) -> None:
    for change in diff.fields(before, after):
        if change.op == "remove":
            assert _at(before, change.pointer) == change.before
        else:
            assert _at(after, change.pointer) == change.after


def _at(document: Any, pointer: str) -> Any:
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        document = document[int(name)] if isinstance(document, list) else document[name]
    return document


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (["a", "b"], ["x", "a", "b"], [("add", "/0")]),
        (["a", "b", "c"], ["a", "c"], [("remove", "/1")]),
        (["a", "b"], ["a", "x"], [("replace", "/1")]),
        ({"a": [{"b": 1}]}, {"a": [{"b": 2}]}, [("replace", "/a/0/b")]),
        ({"a/b": 1}, {"a~b": 1}, [("remove", "/a~1b"), ("add", "/a~0b")]),
        ({"a": 1}, {"a": 1.0}, []),
        ({"a": 1}, {"a": True}, [("replace", "/a")]),
        ({"a": None}, {}, [("remove", "/a")]),
        (list(range(300)), [-1, *range(1, 300)], [("replace", "/0")]),
        ([0] * 60_000, [0] * 60_000 + [1], [("add", "/60000")]),
    ],
)
def test_fields__of_lists_and_objects__are_as_few_as_they_read(before, after, expected) -> None:
    assert [(change.op, change.pointer) for change in diff.fields(before, after)] == expected


def test_prompt__one_line_more__is_one_line_and_its_tokens() -> None:
    change = diff.prompt("a\nb\nc", "a\nb\nBe exact.\nc")
    assert change.lines == ("@@ -1,3 +1,4 @@", " a", " b", "+Be exact.", " c")
    assert (change.tokens_before, change.tokens_after, change.token_delta) == (6, 8, 2)
    assert diff.prompt("a", "a").lines == ()
