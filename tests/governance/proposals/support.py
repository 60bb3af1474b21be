"""Proposals of a test's own type, whose executor writes rows that can be counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import UUID

from django.db import connection, transaction

from gateway.core.errors import BadRequest
from gateway.core.journal import Actor
from gateway.governance.proposals import registry, services
from gateway.governance.proposals.types import Draft, Effect, Proposal
from gateway.platform.audit import selectors as audit
from gateway.platform.audit.types import AuditFilter
from gateway.platform.events import selectors as events
from tenants.context import scope
from tenants.types import OrgRef

CHAT = Actor("key", "key_chat")
OWNER = Actor("user", "usr_owner")
STRANGER = Actor("user", "usr_stranger")
SCHEMA = {
    "type": "object",
    "properties": {"text": {"type": "string", "maxLength": 40}, "mode": {"enum": ["ok", "refuse", "crash"]}},
    "required": ["text"],
    "additionalProperties": False,
}


def write_note(proposal: Proposal) -> Effect:
    """Insert one row, then do as the payload says: a row that stays after `refuse` or `crash` is a half-done effect."""
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO note (proposal, text) VALUES (%s, %s)", [proposal.id, proposal.payload["text"]])
    if proposal.payload.get("mode") == "refuse":
        raise BadRequest("The note is not wanted.", code="note_refused")
    if proposal.payload.get("mode") == "crash":
        raise ZeroDivisionError("secret inside")
    return Effect({"note": proposal.payload["text"]})


def write_assertion(proposal: Proposal) -> str:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO note (proposal, text) VALUES (%s, 'assertion')", [proposal.id])
    return "mem_of_" + proposal.public_id


def make_note_table(ref: OrgRef) -> None:
    from django.db import connections

    with connections["owner"].cursor() as cursor:
        cursor.execute(f'CREATE TABLE "{ref.schema}".note (proposal uuid, text text)')
        cursor.execute(f'GRANT ALL ON "{ref.schema}".note TO ikiro_app')


@contextmanager
def registered(
    run: Callable[[Proposal], Effect] = write_note, *, inline: bool = True, writer: object = write_assertion
) -> Iterator[None]:
    """Have ``test.note`` carried out by ``run`` and assertions written by ``writer`` within the block."""
    executors, old = dict(registry._executors), registry._assertion_writer
    registry.register(registry.Executor("test.note", SCHEMA, run, inline=inline))
    registry.register(registry.Executor("free.form", {"type": "object"}, write_note))
    registry._assertion_writer = writer  # type: ignore[assignment]
    try:
        yield
    finally:
        registry._executors.clear()
        registry._executors.update(executors)
        registry._assertion_writer = old


def draft(text: str = "hello", **changes: object) -> Draft:
    payload = changes.pop("payload", None) or {
        "text": text,
        **({"mode": changes.pop("mode")} if "mode" in changes else {}),
    }
    values = {"type": "test.note", "payload": payload, "subject_id": "ana", "persona_id": "sage"}
    return Draft(**{**values, "source": "chat:chat_1", "confidence": 0.9, **changes})


def propose(ref: OrgRef, *drafts: Draft) -> Proposal:
    with scope(ref):
        return services.create(drafts or [draft()], actor=CHAT, rules_asked=True).proposals[0]


def approve(ref: OrgRef, proposal_id: UUID, actor: Actor = OWNER, **options: object) -> Proposal:
    with scope(ref):
        return services.approve(proposal_id, actor=actor, **options)


def reject(ref: OrgRef, proposal_id: UUID, actor: Actor = OWNER, **options: object) -> Proposal:
    with scope(ref):
        return services.reject(proposal_id, actor=actor, **options)


def execute(ref: OrgRef, proposal_id: UUID) -> Proposal:
    with scope(ref):
        return services.execute(proposal_id)


def notes(ref: OrgRef) -> list[str]:
    with scope(ref), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT text FROM note ORDER BY text")
        return [text for (text,) in cursor.fetchall()]


def trail(ref: OrgRef) -> tuple[list[str], list[str]]:
    """Audit actions and event names, each sorted."""
    with scope(ref):
        entries = audit.list_page(AuditFilter(), limit=200, after=None).data
        emitted = events.list_page(limit=200, after=None).data
    return sorted(entry.action for entry in entries), sorted(event.name for event in emitted)
