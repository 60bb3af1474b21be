"""The trail of what has no lease: refusals, and reads that audit wants to know of."""

from __future__ import annotations

import asyncio
import re
from uuid import UUID

import msgspec
import structlog

from gateway.core import clock, ids
from gateway.core.valkey import StoreUnavailable, Valkey
from gateway.platform.admission import entries
from gateway.platform.admission import journal as journals
from gateway.platform.admission.journal import Journal, NoteLine
from gateway.platform.admission.keys import of_org
from gateway.platform.admission.scripts import REFUSE
from gateway.platform.admission.types import Note, Tried

log = structlog.get_logger(__name__)

REFUSAL = "refusal"
# Before a person's id where a key's would be; reap.lua tells them apart by it.
PERSON = "u"
# Of one shard in one minute; beyond it refusals are still counted, but no longer told apart.
_REFUSAL_FIELDS = 10_000
_TRIED_KEPT_S = 7 * 86_400
_UNSAFE = re.compile(r"[^a-z0-9_.:-]+")


async def note(store: Valkey, entry: Note, *, journal: Journal | None = None) -> None:
    """Leave a trail: one command. Without the store it goes to the journal; a refusal then is only logged, because
    everything is refused while the store is away."""
    keys = of_org(entry.org_id)
    if entry.kind == REFUSAL:
        minute = int(clock.now().timestamp()) // 60
        who = entry.key_id or (f"{PERSON}{entry.user_id}" if entry.user_id else "")
        field = f"{minute}|{keys.org}|{who}|{_word(entry.reason)}|{_word(entry.surface)}"
        try:
            await store.script(REFUSE, (keys.refusals,), (field, f"{minute}|{keys.org}||other|", _REFUSAL_FIELDS))
        except StoreUnavailable:
            log.warning("admission.refusal_not_counted", org_id=keys.org, reason=entry.reason)
        return
    data = entries.encode(
        {
            **entry.data,
            "id": ids.uuid7(),
            "at_ms": clock.micros() // 1000,
            "org_id": entry.org_id,
            "key_id": entry.key_id,
            **({"user_id": entry.user_id} if entry.user_id else {}),
            "reason": entry.reason,
            "surface": entry.surface,
        }
    )
    line = NoteLine(keys.usage, entry.kind, data.decode())
    try:
        await store.execute("XADD", line.stream, "*", "kind", line.kind, "data", line.data)
    except StoreUnavailable:
        await (journal or journals.journal()).append(line)
    except asyncio.CancelledError:
        # Perhaps sent, perhaps not: the note's id makes a second arrival harmless.
        (journal or journals.journal()).post(line)
        raise


def _word(text: str) -> str:
    return _UNSAFE.sub("_", text.lower())[:64]


async def tried(store: Valkey, org_id: UUID, attempt: Tried) -> None:
    """Keep the organization's last call that did not work; the one before is forgotten."""
    await store.execute("SET", of_org(org_id).tried, entries.encode(attempt), "EX", _TRIED_KEPT_S)


async def last_tried(store: Valkey, org_id: UUID) -> Tried | None:
    """What ``tried`` kept."""
    raw = await store.execute("GET", of_org(org_id).tried)
    return None if raw is None else msgspec.json.decode(raw, type=Tried)
