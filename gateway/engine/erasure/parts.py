"""The parts of a subject's data that lie in the slices below. Slices above register their own when they start."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from gateway.core import clock, ids, subjectdata
from gateway.core.plain import plain
from gateway.core.subjectdata import Target
from gateway.engine.conversations import selectors as conversations
from gateway.engine.conversations import services as conversation_services
from gateway.engine.erasure import answers
from gateway.governance.policies.services import erase_target
from gateway.governance.policies.types import Level
from gateway.governance.proposals import subjectdata as proposals
from gateway.knowledge.memory import erasure as memory
from gateway.knowledge.memory import exporting as memory_export
from gateway.knowledge.personas import relationships
from gateway.platform.events import erasing as events
from gateway.platform.frames import erasing as frames
from gateway.platform.operations import erasing as operations
from gateway.platform.requests import services as requests
from tenants.context import current

# A stream's frames are kept for minutes; older requests have none.
_STREAMED = timedelta(hours=1)


def register() -> None:
    """Make them known; the same twice is the same as once."""
    subjectdata.register("memories", erase=memory.erase_target, export=memory_export.export_target)
    subjectdata.register("conversations", erase=_conversations, export=_said)
    subjectdata.register("proposals", erase=proposals.erase, export=proposals.export)
    subjectdata.register("relationships", erase=_relationships, export=_stages)
    subjectdata.register("policies", erase=_policies)
    subjectdata.register("requests", erase=_requests, export=_asked)
    subjectdata.register("operations", erase=_operations)
    subjectdata.register("events", erase=_events)


def _conversations(target: Target) -> Mapping[str, int]:
    overlays = sum(erase_target(Level.SESSION, entry.public_id) for entry in conversations.of_subject(target.pk))
    return {**conversation_services.erase(target.pk), "conversation_policies": overlays}


def _said(target: Target) -> Iterator[dict[str, Any]]:
    for entry in conversations.of_subject(target.pk):
        yield {
            "type": "conversation",
            "id": entry.public_id,
            "persona_id": entry.persona_id,
            "persona_version": entry.persona_version,
            "created_at": entry.created_at,
            "last_at": entry.last_at,
        }
        for turn in conversations.all_turns(entry.id):
            yield {
                "type": "turn",
                "conversation_id": entry.public_id,
                "request_id": ids.public("req", turn.request_id),
                "at": turn.at,
                "persona_version": turn.persona_version,
                "model": turn.model,
                "question": turn.question,
                "answer": turn.answer,
                "citations": list(turn.citations),
            }


def _relationships(target: Target) -> Mapping[str, int]:
    return {"relationships": relationships.erase(target.pk)}


def _stages(target: Target) -> Iterator[dict[str, Any]]:
    cursor = None
    while True:
        found = relationships.page(target.pk, limit=200, cursor=cursor)
        for one in found.data:
            yield {
                "type": "relationship",
                "persona_id": one.persona_id,
                "stage": one.stage,
                "turns": one.turns,
                "since": one.since,
            }
        if (cursor := found.next_cursor) is None:
            return


def _policies(target: Target) -> Mapping[str, int]:
    return {} if target.before is not None else {"policies": erase_target(Level.USER, target.id)}


def _requests(target: Target) -> Mapping[str, int]:
    """What was kept to answer or to show them goes first: it is found by the requests' ids."""
    counts = {"stored_answers": 0, "streams": 0}
    lately = ids.uuid7_at(int((clock.now() - _STREAMED).timestamp() * 1000), 0)
    about: set[UUID] = set()
    for batch in requests.ids_of(target.id, before=target.before):
        about.update(batch)
        counts["streams"] += frames.forget(current().id, [one for one in batch if one > lately])
    counts["stored_answers"] = answers.erase(target, about)
    return {**counts, **requests.erase(target.id, before=target.before)}


def _asked(target: Target) -> Iterator[dict[str, Any]]:
    for batch in requests.ids_of(target.id, before=target.before):
        for request_id in batch:
            yield {"type": "request", "id": ids.public("req", request_id), "at": ids.created_at(request_id)}


def _operations(target: Target) -> Mapping[str, int]:
    return {"operations": operations.erase(target.id, before=target.before)}


def _events(target: Target) -> Mapping[str, int]:
    return {"events": events.erase(target.id, before=target.before)}


def lines(target: Target) -> Iterator[dict[str, Any]]:
    """Everything that is kept about a subject, as plain JSON objects with a ``type``, part after part."""
    for part in subjectdata.parts():
        if part.export is not None:
            for line in part.export(target):
                yield plain(line)
