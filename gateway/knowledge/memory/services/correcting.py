"""Correcting one memory: a new row takes the old one's place, and the old wording is kept as history."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from gateway.core import clock, ids
from gateway.core.errors import FieldProblem
from gateway.core.journal import Actor, Event
from gateway.knowledge.memory import embedding, rows, selectors, storage
from gateway.knowledge.memory.changing import COUNTED, already, current, held, settle, trail
from gateway.knowledge.memory.drafts import USER_SAID, Draft, check
from gateway.knowledge.memory.errors import InvalidMemory
from gateway.knowledge.memory.models import MemoryRow
from gateway.knowledge.memory.placement import EVERYTHING, Reach
from gateway.knowledge.memory.types import Memory, NewMemory, Status

# What may be corrected; who may see it, and where it came from, is what it is.
CORRECTABLE = frozenset(
    {
        "text", "type", "slot", "value", "speaker", "about", "where", "pii_tags", "occurred_at", "valid_from",
        "valid_to", "expires_at", "confidence",
    }
)  # fmt: skip
_NEVER_EMPTY = ("text", "type", "occurred_at", "confidence", "pii_tags")


def correct(
    memory_id: UUID,
    changes: dict[str, Any],
    *,
    expected_version: int | None,
    actor: Actor,
    request_id: UUID | None = None,
    reach: Reach = EVERYTHING,
) -> Memory:
    """Replace a memory by its corrected self, which has the same sources and one version more; ``changes`` hold the
    fields that differ, None empties one. Changes that change nothing leave it as it is.

    Raises MemoryNotFound, MemoryForgotten, VersionConflict (with what came in between) when it is no longer the current
    one or not at ``expected_version``, AlreadyRemembered when another memory says exactly that, Contradicts when it
    would take over from one beyond ``reach``, InvalidMemory.
    """
    _check_names(changes)
    with transaction.atomic():
        before = current(held(memory_id), expected_version, reach)
        changed = sorted(name for name, value in changes.items() if value != getattr(before, name))
        if not changed:
            return before
        now = clock.now()
        draft = check(_new(before, {name: changes[name] for name in changed}), now)
        _check_twin(before, draft)
        row = _row(before, draft, now, str(actor), set(changed))
        settled = settle(_as_memory(before, row), now, reach, besides=(before.id,))
        if settled.history:
            successor = settled.history.pop("superseded_by_id")
            row |= settled.history | {"status": Status.SUPERSEDED, "superseded_by": successor}
            if before.silenced_at is not None:
                row["status"] = Status.SILENCED
        gained = -settled.lost - bool(settled.history)
        kept_aside = Status.SILENCED if before.status == Status.SILENCED else Status.SUPERSEDED
        MemoryRow.objects.filter(pk=before.id).update(
            status=kept_aside, corrected=True, retired_at=now, superseded_by=row["id"]
        )
        storage.insert([rows.plain(row)])
        storage.copy_sources(before.id, row["id"])
        embedding.wanted([before.subject_pk])
        storage.touch(before.subject_pk, gained=gained)
        after = selectors.get(row["id"])
        payload = {"memory_id": after.public_id, "supersedes": before.public_id}
        told: dict[str, Any] = {"subject_id": after.subject_id, "persona_id": after.persona_id}
        facts = {"superseded": [ids.public("mem", old) for old in settled.superseded]} if settled.superseded else {}
        trail(
            "memory.corrected", after, actor, request_id, Event("memory.updated", payload, **told),
            corrects=before.public_id, version=after.version, fields=changed, **facts,
        )  # fmt: skip
        return after


def _check_names(changes: dict[str, Any]) -> None:
    problems = [
        FieldProblem(f"#/{name}", "not_correctable", f"may not be changed; {', '.join(sorted(CORRECTABLE))} may")
        for name in changes
        if name not in CORRECTABLE
    ]
    problems += [
        FieldProblem(f"#/{name}", "missing", "may not be emptied")
        for name in _NEVER_EMPTY
        if name in changes and changes[name] is None
    ]
    if problems:
        raise InvalidMemory(problems)


def _new(before: Memory, changes: dict[str, Any]) -> NewMemory:
    """The corrected memory as if it were written now. An end of its time that lies behind us is kept as it is."""
    fields = {name: getattr(before, name) for name in CORRECTABLE}
    if "occurred_at" in changes and "valid_from" not in changes and before.valid_from == before.occurred_at:
        fields["valid_from"] = changes["occurred_at"]  # it was true from when it happened, and still is
    return NewMemory(
        provenance=before.provenance,
        memory_scope=before.memory_scope,
        scope=before.scope,
        persona_id=before.persona_id,
        thread_id=before.thread_id,
        **fields | changes,
    )


def _row(before: Memory, draft: Draft, now: datetime, created_by: str, changed: set[str]) -> dict[str, Any]:
    """The new row. Whoever corrects a statement vouches for it."""
    old = MemoryRow.objects.values("sitting", "source_kinds", "lineages").get(pk=before.id)
    row = rows.row_of(before.subject_pk, draft, now=now, created_by=created_by)
    since = draft.valid_from if before.valid_from or changed & {"valid_from", "occurred_at"} else None
    vouched = max(before.trust, USER_SAID) if changed & {"text", "value"} else before.trust
    return row | {
        "sitting": old["sitting"], "source_kinds": old["source_kinds"], "valid_from": since, "trust": vouched,
        "version": before.version + 1, "previous_id": before.id, "status": before.status,
        "lineages": old["lineages"], "pinned_at": before.pinned_at, "silenced_at": before.silenced_at, "sources": [],
    }  # fmt: skip


def _as_memory(before: Memory, row: dict[str, Any]) -> Memory:
    return replace(
        before, id=row["id"], text=row["body"], slot=row["slot"], value=row["value"], occurred_at=row["occurred_at"],
        valid_from=row["valid_from"], valid_to=row["valid_to"], trust=row["trust"], confidence=row["confidence"],
    )  # fmt: skip


def _check_twin(before: Memory, draft: Draft) -> None:
    twin = (
        MemoryRow.objects.filter(subject_pk=before.subject_pk, content_hash=draft.content_hash, status__in=COUNTED)
        .exclude(pk=before.id)
        .values_list("id", flat=True)
        .first()
    )
    if twin is not None:
        raise already(twin)
