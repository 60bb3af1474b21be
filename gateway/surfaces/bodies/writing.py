"""From the hand to the table, in batches: masked and sealed in the database's threads, never in the event loop."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

import structlog

from gateway.core.errors import Unavailable
from gateway.governance.policies import selectors as policies
from gateway.governance.policies.types import RedactMode
from gateway.platform.requests import services as requests
from gateway.platform.requests.types import BODY_BYTES, BodyDraft, Part
from gateway.surfaces.bodies.masking import asked_mode, at_least_default, masked
from tenants.context import in_tenant
from tenants.types import Organization

log = structlog.get_logger(__name__)
# A larger body is noted without its content: masking it would cost other requests their turn.
MAX_BODY = 1024 * 1024
# What may wait for the database in one worker; beyond it the newest bodies are let go of.
MAX_WAITING = 64 * 1024 * 1024
_PAUSE_S = 0.5
_BATCH = 20


@dataclass(slots=True)
class Taken:
    """A call's bodies as they went by, each let go of once it is too large. Sizes are in bytes; ``days`` and ``mode``
    are what the call's own policy asks for, beyond the organization's."""

    organization: Organization
    request_id: UUID
    path: str
    headers: dict[str, str]
    request: bytes
    persona_id: str | None
    subject_id: str | None
    days: int | None = None
    mode: str | None = None
    content_type: str = ""
    request_size: int = 0
    answer_size: int = 0
    answer: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.request_size = len(self.request)
        if self.request_size > MAX_BODY:
            self.request = b""

    def add(self, chunk: bytes) -> None:
        """Some more of the answer."""
        self.answer_size += len(chunk)
        if self.answer_size <= MAX_BODY:
            self.answer.append(chunk)
        else:
            self.answer.clear()

    @property
    def weight(self) -> int:
        """The bytes that it holds."""
        return len(self.request) + (self.answer_size if self.answer else 0)


_waiting: deque[Taken] = deque()
_weight = 0


def put(taken: Taken) -> None:
    """Let it wait for the next batch."""
    global _weight
    if _weight + taken.weight > MAX_WAITING:
        log.warning("bodies.dropped", organization=taken.organization.ref.public_id, bytes=taken.weight)
        return
    _weight += taken.weight
    _waiting.append(taken)


async def loop() -> None:
    """Write what waits, twice a second."""
    while True:
        await asyncio.sleep(_PAUSE_S)
        await flush()


async def flush() -> None:
    """Write all that waits now. What the database does not take for the moment goes on waiting."""
    global _weight
    delayed = False
    while _waiting:
        batch = [_waiting.popleft() for _ in range(min(_BATCH, len(_waiting)))]
        _weight -= sum(taken.weight for taken in batch)
        by_org: defaultdict[UUID, list[Taken]] = defaultdict(list)
        for taken in batch:
            by_org[taken.organization.ref.id].append(taken)
        for several in by_org.values():
            organization = several[0].organization
            try:
                days = organization.settings.body_retention_days
                await in_tenant(organization.ref, _write, several, days)
            except Unavailable as error:
                log.warning("bodies.delayed", organization=organization.ref.public_id, code=error.code)
                for taken in several:
                    put(taken)
                delayed = True
            except Exception:
                # Whatever is wrong with one organization's bodies, the others' are kept.
                log.exception("bodies.lost", organization=organization.ref.public_id, count=len(several))
        if delayed:
            return


def _write(several: Sequence[Taken], days: int) -> None:
    policy = policies.effective().redact_mode
    drafts = [draft for taken in several for draft in _drafts(taken, policy)]
    requests.store_bodies(drafts, days=days)


def _drafts(taken: Taken, policy: str) -> list[BodyDraft]:
    mode = at_least_default(policy, taken.mode, asked_mode(taken.request))
    sent, answered = taken.request, b"".join(taken.answer)
    return [
        _draft(taken, Part.REQUEST, sent, size=taken.request_size, content_type="application/json", mode=mode),
        _draft(taken, Part.RESPONSE, answered, size=taken.answer_size, content_type=taken.content_type, mode=mode),
    ]


def _draft(taken: Taken, part: Part, body: bytes, *, size: int, content_type: str, mode: RedactMode) -> BodyDraft:
    # Masked whole, cut afterwards: a cut through a secret would hide it from the mask.
    text = masked(body, content_type, mode).encode() if size <= MAX_BODY else b""
    return BodyDraft(
        request_id=taken.request_id,
        part=part,
        path=taken.path,
        content_type=content_type,
        text=text[:BODY_BYTES].decode("utf-8", "ignore"),
        size=size,
        truncated=size > MAX_BODY or len(text) > BODY_BYTES,
        headers=taken.headers if part is Part.REQUEST else {},
        persona_id=taken.persona_id,
        subject_id=taken.subject_id,
        days=taken.days,
    )
