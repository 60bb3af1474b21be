"""One stream per page: what changed, as named events, and nothing else."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from console import live
from tests.console.conftest import Browser
from tests.console.scripted import Asked, Scripted, problem


def _listen(browser: Browser, path: str, *, most: int, last: str = "") -> tuple[Any, list[str]]:
    async def inside() -> tuple[Any, list[str]]:
        answer = await browser.client.get(path, headers={"Last-Event-ID": last} if last else {})
        frames: list[str] = []
        if answer.streaming:
            async for frame in answer.streaming_content:
                frames.append(frame.decode())
                if len(frames) == most:
                    break
        return answer, frames

    return asyncio.run(asyncio.wait_for(inside(), 20))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "_TICK_S", 0.01)
    monkeypatch.setattr(live, "_AFTER_TROUBLE_S", 0.02)
    for name in ("requests", "proposals"):
        topic = live._topics[name]
        monkeypatch.setitem(live._topics, name, live.Topic(name, topic.load, topic.action, 0.02))


def _growing(asked: Asked) -> Any:
    _growing.count += 1  # type: ignore[attr-defined]
    rows = [{"type": "memory.upsert", "subject_id": "usr_1", "created_at": "2026-01-01T00:00:00Z"}]
    return 200, {"data": rows * min(_growing.count // 3, 2), "next_cursor": None}  # type: ignore[attr-defined]


def test_live__a_topic__sends_its_part_only_when_it_changed(browser: Browser, scripted: Scripted) -> None:
    _growing.count = 0  # type: ignore[attr-defined]
    scripted.on("GET", "/v1/proposals", _growing)
    answer, frames = _listen(browser.sign_in("acme"), "/o/acme/live?topics=proposals", most=4)
    assert answer["Content-Type"] == "text/event-stream"
    assert (answer["X-Accel-Buffering"], answer["Cache-Control"]) == ("no", "no-store")
    assert frames[0] == "retry: 2000\n\n"
    assert [frame.splitlines()[0] for frame in frames[1:]] == ["event: proposals"] * 3
    assert "Nothing waits" in frames[1]
    assert "<strong>1</strong>" in frames[2]
    assert "<strong>2</strong>" in frames[3]
    assert _growing.count >= 6  # type: ignore[attr-defined]


def test_live__coming_back__is_not_told_again_what_it_saw(browser: Browser, scripted: Scripted) -> None:
    browser.sign_in("acme")
    _, frames = _listen(browser, "/o/acme/live?topics=proposals", most=2)
    position = next(line for line in frames[1].splitlines() if line.startswith("id: ")).removeprefix("id: ")
    rows = [{"type": "x", "subject_id": "y", "created_at": "2026-01-01T00:00:00Z"}]
    asked = 0

    def later(_: Asked) -> Any:
        nonlocal asked
        asked += 1
        return 200, {"data": rows if asked > 3 else [], "next_cursor": None}

    scripted.on("GET", "/v1/proposals", later)
    _, frames = _listen(browser, "/o/acme/live?topics=proposals", most=2, last=position)
    assert "<strong>1</strong>" in frames[1]
    assert asked > 3


def test_live__many_lines_of_html__are_one_event(browser: Browser, scripted: Scripted) -> None:
    _, frames = _listen(browser.sign_in("acme"), "/o/acme/live?topics=requests", most=2)
    lines = frames[1].rstrip("\n").split("\n")
    assert all(line.startswith(("event: ", "id: ", "data: ")) for line in lines)
    assert frames[1].endswith("\n\n")


def test_live__the_gateway_stumbles__goes_on_afterwards(browser: Browser, scripted: Scripted) -> None:
    answers = iter([problem(503, "store_away"), problem(429, "rate_limited", retry_after=0), (502, b"x")])
    scripted.on("GET", "/v1/proposals", lambda _: next(answers, (200, {"data": [], "next_cursor": None})))
    _, frames = _listen(browser.sign_in("acme"), "/o/acme/live?topics=proposals", most=2)
    assert "Nothing waits" in frames[1]


def test_live__the_session_ends__says_so_and_stops(browser: Browser, scripted: Scripted) -> None:
    scripted.on("GET", "/v1/proposals", problem(401, "session_invalid"))
    _, frames = _listen(browser.sign_in("acme"), "/o/acme/live?topics=proposals", most=9)
    assert frames == ["retry: 2000\n\n", "event: ended\ndata:\n\n"]


def test_live__nothing_changes__sends_a_sign_of_life(
    browser: Browser, scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "HEARTBEAT_S", 0.05)
    _, frames = _listen(browser.sign_in("acme"), "/o/acme/live?topics=proposals", most=4)
    assert frames[2:] == [": ping\n\n", ": ping\n\n"]


def test_live__long_enough__ends(browser: Browser, scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "LONGEST_S", 0.1)
    _, frames = _listen(browser.sign_in("acme"), "/o/acme/live?topics=proposals", most=99)
    assert len(frames) == 2


@pytest.mark.parametrize("topics", ["", "nothing", "../x,%00"])
def test_live__unknown_topics__is_204(topics: str, browser: Browser, scripted: Scripted) -> None:
    assert browser.sign_in("acme").get(f"/o/acme/live?topics={topics}").status_code == 204


def test_live__foreign_organization__is_404(browser: Browser, scripted: Scripted) -> None:
    assert browser.sign_in("acme").get("/o/globex/live?topics=proposals").status_code == 404
    assert scripted.asked("/v1/proposals") == []


def test_live__signed_out__leads_to_sign_in(browser: Browser, scripted: Scripted) -> None:
    assert browser.get("/o/acme/live?topics=proposals").status_code == 303
