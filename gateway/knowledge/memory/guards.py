"""What a program may not write: what was forgotten, what was recalled a moment ago, the assistant's own words, and
anything out of a source that the subject took back. And what a person's own word lifts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from django.db import connection

from gateway.core import ids
from gateway.core.errors import GatewayError, NotFound
from gateway.knowledge.memory import wording
from gateway.knowledge.memory.drafts import Draft
from gateway.knowledge.memory.errors import NotRemembered, SourceRevoked

# Of the newest forgotten memories the words are compared as well, for as long as their rows are kept.
_FORGOTTEN_COMPARED = 500

_TOMBSTONES = """
SELECT subject_pk, content_hash, slot, value_hash FROM memory_tombstone
WHERE subject_pk = ANY(%(pks)s) AND (content_hash = ANY(%(hashes)s) OR slot = ANY(%(slots)s))
"""

_FORGOTTEN = """
SELECT s.pk, f.body FROM unnest(%s::uuid[]) AS s(pk) CROSS JOIN LATERAL (
    SELECT m.body FROM memory_tombstone t JOIN memory m ON m.id = t.memory_id
    WHERE t.subject_pk = s.pk AND m.status = 'forgotten' ORDER BY t.forgotten_at DESC LIMIT %s) AS f
"""

_LIFT = """
DELETE FROM memory_tombstone t USING unnest(%s::uuid[], %s::text[], %s::text[], %s::text[])
    AS said(pk, content_hash, slot, value_hash)
WHERE t.subject_pk = said.pk AND (t.content_hash = decode(said.content_hash, 'hex')
    OR (t.slot = said.slot AND t.value_hash = decode(said.value_hash, 'hex')))
"""


class Guard:
    """The tombstones, forgotten words, recalled texts and revoked sources that one write's extracted items meet.
    Read once for all of them; nothing is read when there are none."""

    def __init__(self, drafts: Sequence[tuple[UUID, Draft]], revoked: dict[UUID, set[str]]) -> None:
        extracted = [(pk, draft) for pk, draft in drafts if draft.extracted]
        self._revoked = revoked
        self._hashes: set[tuple[UUID, bytes]] = set()
        self._values: set[tuple[UUID, str, bytes]] = set()
        self._forgotten: dict[UUID, list[str]] = {}
        self._recalled: dict[tuple[UUID, str], str] = {}
        if extracted:
            self._read(extracted)

    def _read(self, extracted: Sequence[tuple[UUID, Draft]]) -> None:
        pks = list({pk for pk, _ in extracted})
        asked: dict[str, Any] = {
            "pks": pks,
            "hashes": [wording.digest(draft.text) for _, draft in extracted],
            "slots": [draft.slot for _, draft in extracted if draft.slot is not None],
        }
        named = {memory_id for _, draft in extracted for text in draft.recalled if (memory_id := _named(text))}
        with connection.cursor() as cursor:
            cursor.execute(_TOMBSTONES, asked)
            for pk, content_hash, slot, value_hash in cursor.fetchall():
                self._hashes.add((pk, bytes(content_hash)))
                if slot is not None and value_hash is not None:
                    self._values.add((pk, slot, bytes(value_hash)))
            cursor.execute(_FORGOTTEN, [pks, _FORGOTTEN_COMPARED])
            for pk, body in cursor.fetchall():
                self._forgotten.setdefault(pk, []).append(body)
            if named:
                cursor.execute("SELECT subject_pk, id, body FROM memory WHERE id = ANY(%s)", [list(named)])
                for pk, memory_id, body in cursor.fetchall():
                    self._recalled[pk, ids.public("mem", memory_id)] = body

    def refusal(self, subject_pk: UUID, draft: Draft) -> GatewayError | None:
        """Why this item may not be stored; None when it may."""
        if not draft.extracted:
            return None
        taken_back = self._revoked.get(subject_pk, set()) & set(draft.source_kinds)
        if taken_back:
            return SourceRevoked(f"The subject took back the consent to {', '.join(sorted(taken_back))}.")
        if draft.is_assistants:
            return NotRemembered("The assistant's own words are no fact about the subject.", code="assistant_text")
        if self._restates(subject_pk, draft):
            return NotRemembered("This only repeats what was recalled in the same turn.", code="restates_memory")
        if self._is_forgotten(subject_pk, draft):
            return NotRemembered(
                "This was forgotten, and only a person's own word brings it back.", code="forgotten_before"
            )
        return None

    def _restates(self, subject_pk: UUID, draft: Draft) -> bool:
        known = (self._recalled.get((subject_pk, text), text) for text in draft.recalled)
        return any(wording.restates(draft.text, text) for text in known)

    def _is_forgotten(self, subject_pk: UUID, draft: Draft) -> bool:
        if (subject_pk, wording.digest(draft.text)) in self._hashes:
            return True
        value = draft.value_key
        if draft.slot is not None and value is not None and (subject_pk, draft.slot, value) in self._values:
            return True
        return any(
            wording.restates(draft.text, text) or wording.says_again(draft.text, text)
            for text in self._forgotten.get(subject_pk, ())
        )


def lift(stated: Iterable[tuple[UUID, Draft]]) -> None:
    """Somebody says it themselves: what was forgotten may be known again. One statement, none for nobody."""
    said = [
        (pk, wording.digest(draft.text).hex(), draft.slot, key.hex() if (key := draft.value_key) else None)
        for pk, draft in stated
    ]
    if said:
        with connection.cursor() as cursor:
            cursor.execute(_LIFT, [list(column) for column in zip(*said, strict=True)])


def _named(text: str) -> UUID | None:
    """The memory that an id among the recalled texts names."""
    if not text.startswith("mem_"):
        return None
    try:
        return ids.parse("mem", text)
    except NotFound:
        return None
