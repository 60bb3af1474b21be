"""Log lines: whose request they belong to, and nothing in them that must not be told."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

import pytest
import structlog

from gateway.core import ids, serving
from gateway.core.endpoint import Call
from ikiro import logs, redaction

SECRETS = {
    "our key": "ik_live_0123456789abcdef_9zYxWvUtSrQpOnMlKjIhGfEdCbA",
    "our test key": "ik_test_0123456789abcdef_9zYxWvUtSrQpOnMlKjIhGfEdCbA",
    "an OpenAI key": "sk-proj-abcDEF123456_-7890",
    "an Anthropic key": "sk-ant-api03-abcDEF123456",
    "a signed token": "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ1c3JfMSJ9.c2lnbmF0dXJl",
    "a header": "Bearer opaque-token-of-somebody",
    "basic credentials": "Basic dXNlcjpwYXNzd29yZA==",
    "an address with a password": "postgresql://ikiro:hunter2hunter2@db/ikiro",
}


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
def test_redact__a_secret_anywhere__is_gone_and_the_rest_stays(secret: str) -> None:
    text = redaction.redact(f'before "{secret}", after')
    assert secret.rsplit(maxsplit=1)[-1] not in text
    assert "hunter2" not in text
    assert text.startswith('before "')
    assert text.endswith(", after")


@pytest.mark.parametrize(
    "text",
    [
        "req_01kak6x8q4f3h8s9d2m7n5b0vc",
        "key_01kak6x8q4f3h8s9d2m7n5b0vc",
        "ik_live_",
        "risk-assessment",
        "POST /v1/chat",
    ],
)
def test_redact__ids_and_words__are_left_alone(text: str) -> None:
    assert redaction.redact(text) == text


def test_scrub__fields_by_name__are_emptied_at_any_depth() -> None:
    event: dict[str, Any] = {
        "event": "x", "Authorization": "zzz", "user_password": "p", "headers": {"x-api-key": "k", "accept": "json"},
        "tokens": 7,
    }  # fmt: skip
    scrubbed = json.loads(logs._render(None, "info", event))
    assert scrubbed == {
        "event": "x", "Authorization": redaction.GONE, "user_password": redaction.GONE,
        "headers": {"x-api-key": redaction.GONE, "accept": "json"}, "tokens": 7,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError("invalid literal for int(): 'my secret diary'"), "invalid literal for int(): '…'"),
        (AttributeError("'NoneType' object has no attribute 'plan'"), "'NoneType' object has no attribute 'plan'"),
        (KeyError("dear diary"), "'…'"),
        (RuntimeError("duplicate key\nDETAIL: Key (email)=(ann@example.org) exists."), "duplicate key"),
        (ValueError("x" * 500), "x" * 200),
        (ValueError(), ""),
    ],
)
def test_message__of_an_exception__tells_names_and_no_values(error: BaseException, told: str) -> None:
    assert redaction.message(error) == told


def crash() -> tuple[Any, Any, Any]:
    try:
        try:
            int("the caller's own words")
        except ValueError as error:
            raise RuntimeError(f"while reading sk-{'a' * 20}") from error
    except RuntimeError:
        return sys.exc_info()


def test_exception__in_a_line__shows_where_but_not_what(capsys: pytest.CaptureFixture[str]) -> None:
    call = Call(ids.uuid7(), "v1")
    token = serving.call.set(call)
    try:
        log = structlog.wrap_logger(structlog.WriteLogger(sys.stderr), processors=logs.processors())
        log.error("request.crashed", exc_info=crash()[1], api_key="k", note="Bearer abcdefghijk")
    finally:
        serving.call.reset(token)
    line = json.loads(capsys.readouterr().err.splitlines()[-1])
    assert (line["event"], line["level"], line["api_key"], line["note"]) == (
        "request.crashed", "error", redaction.GONE, redaction.GONE,
    )  # fmt: skip
    assert line["request_id"] == ids.public("req", call.request_id)
    assert "in crash" in line["exception"]
    assert "builtins.ValueError: invalid literal for int() with base 10: " in line["exception"]
    assert "which led to" in line["exception"]
    for word in ("own words", "a" * 20):
        assert word not in line["exception"].replace('int("the caller\'s own words")', "")


def test_library_lines__look_like_ours_and_hide_the_same() -> None:
    record = logging.LogRecord("celery", logging.ERROR, "x.py", 1, "failed: %s", ("Bearer abcdefghijk",), crash())
    line = json.loads(logs.LineFormatter().format(record))
    assert (line["event"], line["logger"], line["level"]) == (f"failed: {redaction.GONE}", "celery", "error")
    assert "RuntimeError: while reading [redacted]" in line["exception"]


def test_console_format__is_for_people_and_hides_the_same(settings: Any) -> None:
    settings.IKIRO_LOG_FORMAT = "console"
    line = logs._render(None, "info", {"event": "hello", "timestamp": "t", "level": "info", "key": SECRETS["our key"]})
    assert not line.startswith("{")
    assert "hello" in line
    assert SECRETS["our key"] not in line


def test_plain_format__of_the_console_process__hides_the_same() -> None:
    formatter = redaction.PlainFormatter("%(levelname)s %(message)s")
    record = logging.LogRecord("x", logging.ERROR, "x.py", 1, "sent %s", (SECRETS["a signed token"],), crash())
    lines = formatter.format(record).splitlines()
    assert lines[0] == f"ERROR sent {redaction.GONE}"
    assert lines[-1] == "builtins.RuntimeError: while reading [redacted]"
