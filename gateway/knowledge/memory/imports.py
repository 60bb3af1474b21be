"""``memory.import``: a batch of memories stored by a worker, a hundred at a time, with progress and cancel.

A run that was lost is taken up where it stopped; the hundred that may be written twice find their first copies and
change nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from gateway.core import ids
from gateway.core.errors import GatewayError
from gateway.core.journal import Actor
from gateway.knowledge.memory import services
from gateway.knowledge.memory.placement import EVERYTHING, Reach
from gateway.knowledge.memory.types import ItemResult, NewMemory, Provenance, Subject
from gateway.platform.operations.registry import OperationRun, runner

KIND = "memory.import"
CHUNK = 100
_TIMES = ("occurred_at", "valid_from", "valid_to", "expires_at")


@dataclass(frozen=True, slots=True)
class _Person:
    pk: UUID
    id: str


def payload(
    items: Sequence[tuple[Subject, NewMemory]],
    *,
    actor: Actor,
    limit_per_subject: int | None,
    reach: Reach = EVERYTHING,
) -> dict[str, Any]:
    """What the operation keeps until it has run: plain JSON."""
    return {
        "items": [{"subject": [str(subject.pk), subject.id], "memory": _plain(new)} for subject, new in items],
        "actor": [actor.kind, actor.id],
        "limit": limit_per_subject,
        "reach": [reach.memory_scopes, reach.personas],
    }


def as_wire(result: ItemResult) -> dict[str, Any]:
    """One item's result as a batch answers it: ``{index, id?, deduplicated?, superseded?, proposal_id?, error?}``."""
    if result.error is not None:
        return {"index": result.index, "error": error_as_wire(result.error, result.index)}
    if result.proposal_id is not None:
        return {"index": result.index, "proposal_id": ids.public("prop", result.proposal_id)}
    wire = {"index": result.index, "id": ids.public("mem", result.stored), "deduplicated": result.deduplicated}
    if result.superseded:
        wire["superseded"] = [ids.public("mem", old) for old in result.superseded]
    return wire


def error_as_wire(error: GatewayError, index: int) -> dict[str, Any]:
    """A refusal inside a batch: status, code, detail and the fields concerned, as pointers into the batch."""
    problems = [
        {"pointer": f"#/items/{index}{p.pointer.removeprefix('#')}", "code": p.code, "message": p.message}
        for p in error.problems
    ]
    return {"status": error.http_status, "code": error.code, "detail": error.detail, "errors": problems}


@runner(KIND)
def run(operation: OperationRun) -> dict[str, Any]:
    """Store what is left of the batch; the result has the same ``data`` as a batch that was stored at once."""
    items = operation.payload["items"]
    scopes, personas = operation.payload.get("reach") or (None, None)  # one of an earlier release names none
    reach = Reach(tuple(scopes) if scopes is not None else None, tuple(personas) if personas is not None else None)
    data: list[dict[str, Any]] = list((operation.checkpoint or {}).get("data", ()))
    for start in range(operation.done, len(items), CHUNK):
        chunk = [_item(entry) for entry in items[start : start + CHUNK]]
        results = services.create_many(
            chunk, actor=Actor(*operation.payload["actor"]), limit_per_subject=operation.payload["limit"], reach=reach
        )
        data = [*data, *(as_wire(replace(result, index=start + result.index)) for result in results)]
        operation.advance(start + len(chunk), total=len(items), checkpoint={"data": data})
    return {"data": data}


def _plain(new: NewMemory) -> dict[str, Any]:
    values = asdict(new)
    for name in _TIMES:
        values[name] = values[name].isoformat() if values[name] else None
    values["proposal_id"] = str(new.proposal_id) if new.proposal_id else None
    return values


def _item(entry: dict[str, Any]) -> tuple[Subject, NewMemory]:
    pk, subject_id = entry["subject"]
    known = {field.name for field in fields(NewMemory)}
    values = {name: value for name, value in entry["memory"].items() if name in known}
    for name in _TIMES:
        values[name] = datetime.fromisoformat(values[name]) if values[name] else None
    values["provenance"] = _source(values["provenance"])
    values["further_sources"] = tuple(_source(source) for source in values["further_sources"])
    values["proposal_id"] = UUID(values["proposal_id"]) if values["proposal_id"] else None
    for name in ("pii_tags", "recalled"):
        values[name] = tuple(values.get(name, ()))
    return _Person(UUID(pk), subject_id), NewMemory(**values)


def _source(values: dict[str, Any]) -> Provenance:
    span = values.get("span")
    return Provenance(**{**values, "span": tuple(span) if span is not None else None})
