"""A refusal of the accounts, shown in the form that caused it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.http import HttpResponse

from console.auth import words
from console.forms import Form
from console.gateway import AccountsAnswer
from console.rendering import render
from console.requests import PageRequest


@dataclass(frozen=True, slots=True)
class Wait:
    """Too many attempts: why, and until when."""

    text: str
    until: datetime


def wait_of(answer: AccountsAnswer) -> Wait | None:
    """The wait that a 429 asks for, None for every other answer."""
    if answer.status != 429:
        return None
    problem: dict[str, Any] = next(iter(answer.errors), {})
    said = problem.get("until")
    until = datetime.fromisoformat(said) if said else datetime.now(UTC) + timedelta(seconds=answer.retry_after or 1)
    return Wait(words.of_wait(problem), until)


def refused(
    request: PageRequest,
    template: str,
    answer: AccountsAnswer,
    form: Form,
    context: dict[str, Any] | None = None,
    **fields: str,
) -> HttpResponse:
    """The page again, with what was wrong: 422, or 429 with the end of the wait. ``fields`` name the form's field for a
    parameter of the API where they differ; an error of any other parameter stands above the form."""
    wait = wait_of(answer)
    if wait is None:
        take(form, answer, **fields)
    response = render(
        request, template, {"form": form, "wait": wait, **(context or {})}, status=422 if wait is None else 429
    )
    if wait is not None:
        response["Retry-After"] = str(max(1, round((wait.until - datetime.now(UTC)).total_seconds())))
    return response


def take(form: Form, answer: AccountsAnswer, **fields: str) -> None:
    """Put the answer's errors into the form; each sentence once."""
    for problem in answer.errors:
        name = str(problem.get("param") or "")
        message, field = words.of(problem), fields.get(name, name)
        if message not in [text for _, text in form.problems]:
            form.add(field or None, message)
    if form.ok:
        form.add(None, f"The gateway refused this (status {answer.status}) and gave no reason. Try again.")
