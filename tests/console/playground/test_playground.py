"""The playground: what is asked, what streams back, and what a refusal looks like in its pane."""

from __future__ import annotations

import asyncio
import html
import json
import re
from typing import Any

import pytest

from tests.console.conftest import Browser
from tests.console.scripted import Scripted, problem

ANSWER: dict[str, Any] = {
    "id": "chat_1",
    "request_id": "req_1",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "On <Friday>."}, "finish_reason": "stop"}],
    "citations": [{"factId": "mem_1", "uri": "gmail://msg_1", "confidence": 0.92, "snippet": "Quiz, Fri"}],
    "proposedWrites": [{"proposal_id": "prop_1", "type": "memory.upsert", "payload": {},
                        "provenance": {"from": "chat", "confidence": 0.9}}],
    "usage": {"prompt_tokens": 442, "completion_tokens": 71, "total_tokens": 513, "memory_recalls": 3,
              "cache_hit": False},
}  # fmt: skip
FORM = {"persona_a": "brand-default", "model_a": "ikiro/sandbox", "subject_id": "usr_123", "message": "When?"}


def _frame(name: str, data: Any) -> str:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"


def _streamed(*frames: str) -> tuple[int, bytes, dict[str, str]]:
    return 200, "".join(frames).encode(), {"content-type": "text/event-stream"}


@pytest.fixture
def gateway(scripted: Scripted) -> Scripted:
    personas = [{"id": "brand-default", "archived_at": None}, {"id": "old", "archived_at": "2026-01-01T00:00:00Z"}]
    scripted.on("GET", "/v1/personas", (200, {"data": personas, "next_cursor": None}))
    delta = {"index": 0, "delta": {"content": "On <Friday>"}}
    whole = _streamed(_frame("content.delta", delta), _frame("message.done", ANSWER))
    scripted.on("POST", "/v1/chat", lambda asked: whole if asked.body.get("stream") else (200, ANSWER))
    return scripted


def _events(browser: Browser, page: str) -> tuple[str, str]:
    """The stream that the pane listens to, and its id."""
    found = re.search(r'sse-connect="(/o/acme/playground/r/[^"]+)/stream"', page)
    assert found is not None
    answer = browser.get(f"{found[1]}/stream")

    async def read() -> str:
        return "".join([part.decode() async for part in answer.streaming_content])

    return asyncio.run(read()), found[1]


def test_playground__first_visit__offers_what_the_organization_has(browser: Browser, gateway: Scripted) -> None:
    page = browser.sign_in("acme").get("/o/acme/playground").content.decode()
    assert '<option value="brand-default" selected>' in re.sub(r"\s+>", ">", page)
    assert "old" not in re.findall(r'<option value="([^"]+)"', page)
    assert gateway.asked("/v1/chat") == []


def test_playground__without_scripts__shows_the_whole_answer_and_keeps_the_past(
    browser: Browser, gateway: Scripted
) -> None:
    page = browser.sign_in("acme").post("/o/acme/playground", FORM).content.decode()
    [asked] = gateway.asked("/v1/chat")
    assert asked.slug == "acme"
    assert asked.body == {
        "model": "ikiro/sandbox", "persona_id": "brand-default", "subject_id": "usr_123",
        "messages": [{"role": "user", "content": "When?"}],
    }  # fmt: skip
    assert "On &lt;Friday&gt;." in page
    assert "gmail://msg_1" in page
    assert "prop_1" in page
    history = re.search(r'id="history-a" name="history_a" value="([^"]*)"', re.sub(r"\s+", " ", page))
    assert history is not None
    past = html.unescape(history[1])
    browser.post("/o/acme/playground", {**FORM, "message": "And then?", "history_a": past})
    assert [one["content"] for one in gateway.asked("/v1/chat")[1].body["messages"]] == [
        "When?", "On <Friday>.", "And then?",
    ]  # fmt: skip


def test_playground__with_scripts__asks_when_the_stream_opens_and_only_once(
    browser: Browser, gateway: Scripted
) -> None:
    pane = browser.sign_in("acme").post("/o/acme/playground", FORM, htmx="thread").content.decode()
    assert gateway.asked("/v1/chat") == []
    stream, place = _events(browser, pane)
    assert "event: token\ndata: <span>On &lt;Friday&gt;</span>\n\n" in stream
    assert "On &lt;Friday&gt;." in stream.partition("event: done")[2]
    assert len(gateway.asked("/v1/chat")) == 1
    again, _ = _events(browser, pane)
    assert "event: token" not in again
    assert "On &lt;Friday&gt;." in again
    assert len(gateway.asked("/v1/chat")) == 1
    stranger = Browser().sign_in("globex")
    assert stranger.get(f"{place.replace('acme', 'globex')}/stream").status_code == 204
    assert stranger.get(f"{place}/stream").status_code == 404


def test_playground__side_by_side__asks_each_pane_with_its_own_past(browser: Browser, gateway: Scripted) -> None:
    past = json.dumps([{"role": "user", "content": "b only"}, {"role": "system", "content": "no"}])
    both = {**FORM, "compare": "1", "persona_b": "brand-default", "model_b": "ikiro/other", "history_b": past}
    browser.sign_in("acme").post("/o/acme/playground", both)
    bodies = {asked.body["model"]: asked.body["messages"] for asked in gateway.asked("/v1/chat")}
    assert [one["content"] for one in bodies["ikiro/sandbox"]] == ["When?"]
    assert [one["content"] for one in bodies["ikiro/other"]] == ["b only", "When?"]


def test_playground__refused__says_why_in_the_pane(browser: Browser, gateway: Scripted) -> None:
    gateway.on("POST", "/v1/chat", problem(402, "quota_exceeded"))
    pane = browser.sign_in("acme").post("/o/acme/playground", FORM, htmx="thread").content.decode()
    stream, _ = _events(browser, pane)
    assert "Detail of quota_exceeded." in stream
    assert "req_scripted" in stream
    assert "history-a" not in stream


def test_playground__stream_that_breaks_off__keeps_what_came_and_says_so(browser: Browser, gateway: Scripted) -> None:
    delta = {"index": 0, "delta": {"content": "half"}}
    trouble = {"status": 502, "title": "The model's provider failed", "detail": "It broke.", "code": "upstream_broken"}
    gateway.on("POST", "/v1/chat", _streamed(_frame("content.delta", delta), _frame("error", trouble)))
    pane = browser.sign_in("acme").post("/o/acme/playground", FORM, htmx="thread").content.decode()
    stream, _ = _events(browser, pane)
    done = stream.partition("event: done")[2]
    assert "half" in done
    assert "It broke." in done
    gateway.on("POST", "/v1/chat", _streamed(_frame("content.delta", delta)))
    pane = browser.post("/o/acme/playground", FORM, htmx="thread").content.decode()
    assert "ended before its answer was complete" in _events(browser, pane)[0].replace("&#x27;", "'")


def test_playground__stopped_before_it_began__asks_nobody(browser: Browser, gateway: Scripted) -> None:
    pane = browser.sign_in("acme").post("/o/acme/playground", FORM, htmx="thread").content.decode()
    place = re.search(r'sse-connect="([^"]+)/stream"', pane)
    assert place is not None
    stopped = browser.post(f"{place[1]}/stop", htmx="pane").content.decode()
    assert "stopped" in stopped
    assert "sse-connect" not in stopped
    stream, _ = _events(browser, pane)
    assert "event: token" not in stream
    assert gateway.asked("/v1/chat") == []


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"message": ""}, "Write what the person says."),
        ({"subject_id": ""}, "Say who is talking"),
        ({"temperature": "warm"}, "a number from 0 to 2"),
        ({"max_tokens": "1.5"}, "a whole number"),
        ({"model_a": ""}, "Name a model"),
        ({"history_a": "{broken"}, None),
    ],
)
def test_playground__bad_input__is_named_and_nothing_is_asked(
    wrong: dict[str, str], message: str | None, browser: Browser, gateway: Scripted
) -> None:
    answer = browser.sign_in("acme").post("/o/acme/playground", {**FORM, **wrong}, htmx="thread")
    if message is None:
        assert answer.status_code == 200
        return
    assert answer.status_code == 422
    assert answer["HX-Retarget"] == "#play"
    assert message in answer.content.decode()
    assert gateway.asked("/v1/chat") == []


def test_playground__for_another_role__is_not_for_it(browser: Browser, gateway: Scripted) -> None:
    why = {"chat.run": "Ask an admin or an owner."}
    gateway.on("GET", "/v1/me/permissions", (200, {"role": "billing", "actions": {}, "why": why}))
    answer = browser.sign_in("acme").post("/o/acme/playground", FORM)
    assert answer.status_code == 403
    assert "Ask an admin or an owner." in answer.content.decode()
    assert gateway.asked("/v1/chat") == []
