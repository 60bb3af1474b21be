"""Values and refusals, from the browser to the API and back."""

from __future__ import annotations

from typing import Any

from django.template.loader import render_to_string
from django.test import RequestFactory

from console.forms import Form
from console.gateway import AccountsAnswer, ApiError
from tests.console.scripted import problem


def _posted(**values: Any) -> Any:
    return RequestFactory().post("/", values)


def test_form__of_a_post__holds_the_named_fields_trimmed() -> None:
    form = Form.of(_posted(name=" ci ", scopes=["a", "b"], other="x"), "name", "role", several=("scopes",))
    assert form.values == {"name": "ci", "role": "", "scopes": ["a", "b"]}


def test_form__of_a_get__holds_what_it_starts_with() -> None:
    form = Form.of(RequestFactory().get("/?name=evil"), "name", name="web")
    assert (form.values, form["name"].value) == ({"name": "web"}, "web")


def test_form__refused_by_field__says_it_there_and_in_the_summary() -> None:
    form = Form({"name": ""})
    error = problem(422, "invalid_request", errors=[{"pointer": "#/name", "code": "x", "message": "Too short."}])[1]
    assert form.takes(ApiError(422, error)) is True
    assert form["name"].errors == ("Too short.",)
    assert form.problems == [("f-name", "Too short.")]


def test_form__refused_for_a_field_it_does_not_have__says_it_above() -> None:
    form = Form({"name": ""})
    form.takes(ApiError(422, {"errors": [{"pointer": "#/deep/1", "code": "x", "message": "No."}]}))
    assert form.problems == [("", "No.")]


def test_form__conflict__says_the_detail() -> None:
    form = Form({"slug": "acme"})
    assert form.takes(ApiError(409, {"code": "slug_taken", "detail": "acme is taken."})) is True
    assert form.summary == ["acme is taken."]


def test_form__refused_for_another_reason__is_not_taken() -> None:
    form = Form({"name": "x"})
    assert form.takes(ApiError(403, {"code": "forbidden"})) is False
    assert form.ok


def test_form__answer_of_the_accounts__names_its_field() -> None:
    form = Form({"email": "x", "password": ""})
    answer = AccountsAnswer(400, {"errors": [{"param": "email", "message": "Not an address.", "code": "invalid"}]})
    assert form.takes_answer(answer) is True
    assert form["email"].errors == ("Not an address.",)
    assert Form({}).takes_answer(AccountsAnswer(200, {})) is False


def test_field__refused__is_marked_described_and_escaped() -> None:
    form = Form({"name": '"><script>'})
    form.add("name", "<b>No.</b>")
    html = render_to_string("console/kit/field.html", {"field": form["name"], "label": "Name"})
    assert 'aria-invalid="true"' in html
    assert 'aria-describedby="f-name-hint"' in html
    assert "<script>" not in html
    assert "&lt;b&gt;No.&lt;/b&gt;" in html


def test_field__password__never_comes_back() -> None:
    html = render_to_string("console/kit/field.html", {"field": Form({"p": "hunter2"})["p"], "type": "password"})
    assert "hunter2" not in html
