"""What the demo organization knows, so that the first question has an answer with a citation."""

from __future__ import annotations

from datetime import UTC, datetime

from gateway.core.journal import OPERATOR
from gateway.knowledge.memory import services as memory
from gateway.knowledge.memory.types import NewMemory, Provenance
from gateway.knowledge.personas.defaults import DEFAULT_PERSONA_ID
from gateway.knowledge.subjects import services as subjects

PERSONA_ID = DEFAULT_PERSONA_ID
SUBJECT_ID = "usr_123"
FLAGS = {"enable_webhooks": True, "enable_mcp_adapter": True, "enable_audit_api": True}
_MEMORIES = (
    ("event", "The STAT210 quiz is due on Friday at 10:00.", "gmail", "msg_123", "STAT210 Quiz, Fri 10:00", 0.92),
    (
        "event",
        "The essay for HIST101 is due on Thursday evening.",
        "gmail",
        "msg_124",
        "HIST101 essay, Thursday 18:00",
        0.9,
    ),
    ("preference", "Likes to study in the morning and wants reminders the evening before.", "chat", "c_1", None, 0.85),
)


def remember() -> None:
    """Give the demo subject its memories; a memory that is there already stays one."""
    subject = subjects.ensure(SUBJECT_ID, actor=OPERATOR)
    when = datetime(2026, 11, 2, 9, tzinfo=UTC)
    items = [
        (
            subject,
            NewMemory(
                text=text, type=kind, occurred_at=when, confidence=sure, provenance=Provenance(source, ref, snippet)
            ),
        )
        for kind, text, source, ref, snippet, sure in _MEMORIES
    ]
    memory.create_many(items, actor=OPERATOR, limit_per_subject=None)
