"""Pydantic's errors as problems: places in what was sent, one for each, in words for a caller."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, ValidationError, model_validator

from gateway.core.errors import BadRequest
from gateway.core.wire import Flag, Whole
from gateway.surfaces import invalid


class Part(BaseModel):
    size: Whole


class Given(BaseModel):
    target: Literal["current", "draft"] | Annotated[Whole, Field(ge=1)] = "current"
    parts: str | list[Part] | None = None
    a_b: Annotated[Flag, Field(alias="a/b")] = False
    left: int | None = None

    @model_validator(mode="after")
    def _not_both(self) -> Given:
        if self.left == 7:
            raise ValueError("left is never 7")
        return self


def refused(sent: Any) -> BadRequest:
    with pytest.raises(ValidationError) as caught:
        Given.model_validate(sent)
    return invalid.of_body(caught.value.errors(), sent)


@pytest.mark.parametrize(
    ("sent", "problems"),
    [
        ({"target": "foo"}, [("#/target", "Input should be 'current' or 'draft', or must be a number")]),
        ({"target": 0}, [
            ("#/target", "Input should be 'current' or 'draft', or Input should be greater than or equal to 1"),
        ]),
        ({"a/b": 1}, [("#/a~1b", "must be true or false")]),
        ({"left": 7}, [("#", "left is never 7")]),
        ({"parts": [{"size": "x"}, {}]}, [
            ("#/parts", "Input should be a valid string"), ("#/parts/0/size", "must be a number"),
            ("#/parts/1/size", "Field required"),
        ]),
        ({"left": "x", "target": "y"}, [
            ("#/target", "Input should be 'current' or 'draft', or must be a number"),
            ("#/left", "Input should be a valid integer, unable to parse string as an integer"),
        ]),
    ],
)  # fmt: skip
def test_of_body__any_error__is_at_a_place_that_was_sent(sent: Any, problems: list[tuple[str, str]]) -> None:
    error = refused(sent)
    assert [(one.pointer, one.message) for one in error.problems] == problems
    assert error.detail == f"{problems[0][0][1:].lstrip('/') or 'body'}: {problems[0][1]}"


def test_of_call__no_json__keeps_the_place_as_it_is_named() -> None:
    errors = [{"loc": ("body", "body", "name"), "type": "missing", "msg": "Field required"},
              {"loc": ("query", "limit"), "type": "x", "msg": "must be a number"}]  # fmt: skip
    assert [one.pointer for one in invalid.of_call(errors, b"--boundary").problems] == ["#/name", "#/query/limit"]
