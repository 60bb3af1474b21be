"""Turns that are being answered: made by the form's POST, carried out by the stream that the page then opens.

The model is asked when the stream opens and given up when it closes: nobody pays for an answer that nobody reads. What
has arrived is kept for a few minutes, so that a browser that lost its connection sees it again instead of asking (and
paying) twice. The console runs as one process; a run of another process is not known here, and the page says so.
"""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from console import errors
from console.gateway import ApiError, GatewayDown
from console.playground.turns import Turn

KEPT_S = 300.0
_MOST = 500


@dataclass(slots=True)
class Run:
    """One turn and what came of it. ``state`` goes new → running → done | failed | stopped, never back."""

    id: str
    owner: str
    turn: Turn
    made_at: float = field(default_factory=time.monotonic)
    state: str = "new"
    text: str = ""
    answer: dict[str, Any] = field(default_factory=dict)
    trouble: errors.Trouble | None = None
    first_ms: int | None = None
    total_ms: int | None = None

    @property
    def over(self) -> bool:
        return self.state in {"done", "failed", "stopped"}

    @property
    def history(self) -> str:
        """The pane's past after this turn."""
        return self.turn.after(self.text)

    async def carry_out(self, api: Any) -> AsyncGenerator[str, None]:
        """Ask, and give each piece of text as it comes. Ends with ``state`` saying how."""
        began = time.monotonic()
        self.state = "running"
        try:
            async with aclosing(api.stream("/v1/chat", {**self.turn.body, "stream": True})) as events:
                async for name, data in events:
                    if self.state == "stopped":
                        break
                    if name == "content.delta":
                        piece = str(data["delta"].get("content") or "")
                        self.first_ms = self.first_ms or _since(began)
                        self.text += piece
                        yield piece
                    elif name == "message.done":
                        self.finish(data, began)
                    elif name == "error":
                        raise ApiError(int(data.get("status") or 502), data)
            if self.state == "running":
                raise GatewayDown("the gateway", "the stream ended before its answer was complete")
        except (ApiError, GatewayDown) as error:
            self.fail(error, began)
        finally:
            if self.state == "running":  # the page went away
                self.state = "stopped"
            self.total_ms = self.total_ms or _since(began)

    async def carry_out_at_once(self, api: Any) -> None:
        """The same in one piece, for a page without scripts."""
        began = time.monotonic()
        try:
            self.finish((await api.post("/v1/chat", self.turn.body)).data, began)
        except (ApiError, GatewayDown) as error:
            self.fail(error, began)

    def finish(self, answer: dict[str, Any], began: float) -> None:
        """The whole answer is there; its text may differ from the pieces (redaction looks back)."""
        self.answer = answer
        self.text = str(answer["choices"][0]["message"].get("content") or "")
        self.state, self.total_ms = "done", _since(began)

    def fail(self, error: ApiError | GatewayDown, began: float) -> None:
        self.trouble = errors.of(error)
        self.state, self.total_ms = "failed", _since(began)


class Runs:
    """The runs of this process, the oldest dropped first."""

    def __init__(self) -> None:
        self._runs: OrderedDict[str, Run] = OrderedDict()

    def make(self, owner: str, turn: Turn) -> Run:
        """A new run that only ``owner`` (an organization and a session) can find."""
        now = time.monotonic()
        while self._runs and (len(self._runs) >= _MOST or next(iter(self._runs.values())).made_at < now - KEPT_S):
            self._runs.popitem(last=False)
        run = Run(secrets.token_urlsafe(12), owner, turn)
        self._runs[run.id] = run
        return run

    def find(self, owner: str, run_id: str) -> Run | None:
        """The run, None for one that is unknown, forgotten or somebody else's."""
        run = self._runs.get(run_id)
        return run if run and secrets.compare_digest(run.owner, owner) else None


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)


runs = Runs()
