"""What is noted of a turn under overlays in shadow: bounded, only where one speaks, and never at the turn's cost."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.core import ids
from gateway.core.endpoint import Call
from gateway.engine.chat import shadowing
from gateway.engine.chat.types import ChatRequest
from gateway.engine.evaluation import verdicts
from gateway.governance.policies import shadows
from gateway.governance.policies.merge import merge
from gateway.governance.policies.types import Fields, Level, Mode, Overlay

MODEL = "openai/gpt-5"
SHADOW = Overlay(Level.ORG, "", Fields(dont=("Shout",)), Fields(), version=3, mode=Mode.SHADOW)


def turned(overlays: list[Overlay], **bound_with: Any) -> Call:
    call = Call(ids.uuid7(), "v1")
    request = ChatRequest(model=MODEL, persona_id="p", subject_id="s", messages=({"role": "user", "content": "Hi"},))
    shadowing.turned(call, request, merge(overlays, **bound_with), overlays, bound_with, instead=None)
    return call


def test_turned__under_a_shadow__notes_it_beside_the_decisions() -> None:
    call = turned([SHADOW])
    assert call.shadow == {
        "overlays": [{"name": "org", "version": 3}], "refused_before": False, "refused_after": False,
        "changes": {"dont": {"before": (), "after": ("Shout",)}},
    }  # fmt: skip
    assert call.decisions == []


def test_turned__without_a_shadow__computes_nothing(monkeypatch) -> None:
    monkeypatch.setattr(verdicts, "both", lambda *_, **__: pytest.fail("compared"))
    monkeypatch.setattr(shadows, "merge", lambda *_, **__: pytest.fail("merged"))
    assert turned([Overlay(Level.ORG, "", Fields(), Fields())]).shadow is None


def test_turned__that_cannot_be_compared__costs_the_note_alone(monkeypatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(verdicts, "both", broken)
    assert turned([SHADOW]).shadow is None


@pytest.mark.parametrize(("length", "shown"), [(5, ["added", "removed"]), (1_100, ["truncated"])])
def test_turned__long_lists__are_told_by_what_differs_or_how_long_they_are(length, shown) -> None:
    rules = tuple(f"Never speak of matter {number:03d}{'.' * 32}" for number in range(50))
    shadow = Overlay(Level.ORG, "", Fields(dont=("x" * length,)), Fields(), mode=Mode.SHADOW)
    dont = (turned([shadow], persona_dont=rules).shadow or {})["changes"]["dont"]
    assert sorted(dont) == shown
    assert dont.get("added", ["x" * length]) == ["x" * length]
