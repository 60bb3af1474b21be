"""Reads the model's deltas into what the caller may see: write tools taken out, citation markers resolved, text and
arguments masked and kept on safe ground."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from gateway.engine.chat.arguments import ArgumentGuard
from gateway.engine.chat.citations import CitationFilter, cite
from gateway.engine.chat.extraction import Extraction
from gateway.engine.chat.metering import Meter
from gateway.engine.chat.prepare import Prepared
from gateway.engine.chat.types import Citation, Event, Usage
from gateway.governance.policies import guardrails
from gateway.governance.policies.guardrails import Finding
from gateway.governance.policies.redaction import each_text
from gateway.knowledge.personas.safety import OutputWatch, Redirect
from gateway.platform.providers.types import ModelDelta


class Reader:
    """One answer being read. After ``finish`` the whole stands in ``content``, ``citations`` and ``extraction``;
    ``refused`` says that the content is why there is no answer. Once ``redirect`` is set the answer went where the
    persona does not go: its redirect was said instead, the rest is not to be read, and nothing was called."""

    def __init__(self, prepared: Prepared, meter: Meter) -> None:
        self.content = ""
        self.refused = False
        self.citations: list[Citation] = []
        self.extraction = Extraction()
        self._memories = prepared.recall.memories
        self._policy = prepared.policy
        self._markers = CitationFilter(len(self._memories))
        self._guard = guardrails.OutputGuard(prepared.policy)
        self._arguments: list[ArgumentGuard] = []
        self._proposed = guardrails.OutputGuard(prepared.policy)
        self._watch = OutputWatch(prepared.persona.cartridge)
        self._meter = meter
        self._cited: set[int] = set()

    @property
    def redirect(self) -> Redirect | None:
        return self._watch.hit

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What the policy's guardrails saw in the answer and in what it calls."""
        calls = (finding for guard in self._arguments for finding in guard.findings)
        return (*self._guard.findings, *calls, *self._proposed.findings)

    @property
    def tool_calls(self) -> tuple[dict[str, Any], ...]:
        """The caller's own calls, whole, as they may be seen."""
        if self.redirect is not None:
            return ()
        return tuple(
            {**call, "function": {**call["function"], "arguments": guard.text}}
            for call, guard in zip(self.extraction.tool_calls, self._arguments, strict=True)
        )

    @property
    def finish_reason(self) -> str:
        return "stop" if self.redirect is not None else self.extraction.finish_reason

    def feed(self, delta: ModelDelta) -> Iterator[Event]:
        """The events that one delta lets out."""
        if delta.usage is not None:
            self._meter.usage = delta.usage
        self.refused = self.refused or delta.refusal
        part = self.extraction.feed(delta)
        if part.content:
            self._meter.seen_bytes += len(part.content.encode())
            yield from self._text(self._watch.feed(self._guard.feed(self._markers.feed(part.content))))
            yield from self._cite()
        yield from self._tool_calls(part.tool_calls)

    def finish(self) -> Iterator[Event]:
        """The events held back until the end was known."""
        late = self._guard.feed(self._markers.finish()) + self._guard.finish()
        yield from self._text(self._watch.feed(late) + self._watch.finish())
        yield from self._cite()
        yield from self._tool_calls(self.extraction.finish())
        if self.redirect is None:
            for at, guard in enumerate(self._arguments):
                yield from _more(at, guard.finish())
            self.extraction.writes = tuple(
                replace(write, payload=each_text(write.payload, self._guarded)) for write in self.extraction.writes
            )

    def _tool_calls(self, fragments: tuple[dict[str, Any], ...]) -> Iterator[Event]:
        for fragment in fragments:
            if self.redirect is not None:
                return
            at, function = fragment["index"], fragment["function"]
            self._meter.seen_bytes += len(function["arguments"])
            begins = at == len(self._arguments)
            if begins:
                self._arguments.append(ArgumentGuard(self._policy))
            text = self._arguments[at].feed(function["arguments"])
            yield from (
                [_called({**fragment, "function": {**function, "arguments": text}})] if begins else _more(at, text)
            )

    def usage(self) -> Usage:
        """The turn's usage as the caller is shown it."""
        tokens, _ = self._meter.token_usage()
        return Usage(
            tokens.prompt_tokens,
            tokens.completion_tokens,
            len(self._memories),
            self._meter.cache_hit,
            tokens.cached_tokens,
        )

    def _guarded(self, text: str) -> str:
        """A text of what the model proposes, which is as much its answer as what it says."""
        return self._proposed.feed(text) + self._proposed.finish()

    def _text(self, text: str) -> Iterator[Event]:
        if text:
            self.content += text
            refusal = {"refusal": True} if self.refused else {}
            yield Event("content.delta", {"index": 0, "delta": {"content": text}, **refusal})

    def _cite(self) -> Iterator[Event]:
        for number in self._markers.cited:
            if number in self._cited:
                continue
            self._cited.add(number)
            citation = cite(self._memories[number - 1], self._policy.redact_mode)
            self.citations.append(citation)
            yield Event("citation", citation.wire())


def _more(at: int, arguments: str) -> Iterator[Event]:
    if arguments:
        yield _called({"index": at, "function": {"arguments": arguments}})


def _called(fragment: dict[str, Any]) -> Event:
    return Event("content.delta", {"index": 0, "delta": {"tool_calls": [fragment]}})
