"""``Idempotency-Key``: a POST that is sent twice is done once and answered twice.

The key is claimed before the work and completed with its answer. A request that finds the claim taken gets the kept
answer; while the first is still at work it waits for it, or follows its stream. What failed without an effect gives the
claim back, so that the same key may try again (ADR-0030).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse

from gateway.core import background, ids
from gateway.core.endpoint import Call, Endpoint, Metering
from gateway.core.errors import Unavailable
from gateway.core.idempotency import (
    Answer,
    AnswerTooLarge,
    AnswerWithdrawn,
    Claimed,
    Claims,
    IdempotencyMismatch,
    InFlight,
    Standing,
    claim_id,
    fingerprint,
    parse,
)
from gateway.platform.admission import gate
from gateway.platform.frames import reader
from gateway.platform.idempotency.services import claims as tenant_claims
from gateway.surfaces import retold, streams
from tenants.accounts.claims import claims as account_claims
from tenants.context import in_public, in_tenant
from tenants.types import OrgRef

log = structlog.get_logger(__name__)
HEADER = "HTTP_IDEMPOTENCY_KEY"
_REPLAYED = {"Idempotent-Replayed": "true"}
# Headers that change what the same body asks for.
_MEANING = (
    "HTTP_X_PERSONA_ID", "HTTP_X_SUBJECT_ID", "HTTP_X_MEMORY_SCOPES", "HTTP_ANTHROPIC_VERSION", "HTTP_ANTHROPIC_BETA",
)  # fmt: skip
_WAITED_S = 30.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 0.5
_RETRY_AFTER_S = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """The claim of one request. ``ref`` is None for a person's own affairs. ``request_id`` is the one that it was
    claimed under: an operation that runs another request takes over that one's for its answer."""

    claims: Claims
    ref: OrgRef | None
    place: str
    id: str
    request_id: UUID

    async def run(self, work: Callable[..., Any], *args: Any) -> Any:
        """A method of ``claims`` where its table lives. Raises Unavailable when PostgreSQL is away."""
        return await (in_public(work, *args) if self.ref is None else in_tenant(self.ref, work, *args))

    async def claim(self, mark: str) -> Claimed:
        """Take the key or say how it stands. A caller who hangs up meanwhile leaves no claim behind."""
        taking = background.start(self.run(self.claims.claim, self.id, mark, self.request_id, self.place), name="claim")
        try:
            claimed: Claimed = await asyncio.shield(taking)
        except asyncio.CancelledError:
            taking.add_done_callback(lambda _: self._give_back(taking))
            raise
        if claimed.standing is Standing.MINE:
            _open.add(self)
        return claimed

    def _give_back(self, taking: asyncio.Task[Claimed]) -> None:
        if not taking.cancelled() and taking.exception() is None and taking.result().standing is Standing.MINE:
            background.start(self.release(), name="claim-release")  # type: ignore[unused-awaitable]

    async def keep(self, answer: Answer) -> None:
        """The work is done. While PostgreSQL is away the answer waits in memory for it."""
        try:
            if not await self.run(self.claims.complete, self.id, self.request_id, answer, self.place):
                log.warning("idempotency.claim_lost", request_id=ids.public("req", self.request_id))
        except Unavailable:
            _late[self] = answer
            return
        _late.pop(self, None)
        _open.discard(self)

    async def release(self) -> None:
        """Nothing was done. A claim that cannot be given back now lapses by itself."""
        _open.discard(self)
        try:
            await self.run(self.claims.release, self.id, self.request_id)
        except Unavailable as error:
            log.debug("idempotency.not_released", error=error.detail)

    async def close(self, response: HttpResponse) -> None:
        """Keep the answer, or give the key back for one that says that nothing was done."""
        if _is_kept(response.status_code):
            await self.keep(Answer(response.status_code, tuple(response.items()), response.content))
        else:
            await self.release()


_open: set[Held] = set()
_late: dict[Held, Answer] = {}


def _is_kept(status: int) -> bool:
    """Success, and a defect of ours: nobody knows how far it came. Every other refusal changed nothing, and a provider
    or a store that failed is worth another try."""
    return 200 <= status < 300 or status == 500


async def keep_alive() -> None:
    """A background loop: say thrice in their lease which claims are still worked on, and write what came late."""
    while True:
        await asyncio.sleep(float(settings.IKIRO_LEASE_TTL_S) / 3)
        for held, answer in list(_late.items()):
            await held.keep(answer)
        by_place: dict[str, list[Held]] = {}
        for held in _open:
            by_place.setdefault(held.place, []).append(held)
        for together in by_place.values():
            try:
                await together[0].run(together[0].claims.renew, [held.request_id for held in together])
            except Unavailable as error:
                log.debug("idempotency.not_renewed", error=error.detail)


async def once(
    request: HttpRequest, call: Call, endpoint: Endpoint, perform: Callable[[], Awaitable[Any]], *, drain: bool
) -> Any:
    """``perform``'s answer, or the one it gave when this key came first. Raises InvalidKey, IdempotencyMismatch,
    InFlight, AnswerTooLarge, AnswerWithdrawn, Unavailable."""
    held = _held(call, parse(request.META[HEADER]))
    mark = _fingerprint(request)
    claimed = await held.claim(mark)
    if claimed.standing is Standing.RUNNING:
        claimed = await _wait(held, mark, claimed)
    if claimed.standing is Standing.MINE:
        # What calls no model is short, and its effect does not end with its caller: it is always completed.
        to_the_end = drain or endpoint.metering is Metering.RATE
        work = streams.carry_out(perform, call=call, path=request.path, held=held, drain=to_the_end)
        return await (streams.to_the_end(work) if to_the_end else work)
    if claimed.standing is Standing.OTHER:
        raise IdempotencyMismatch("This Idempotency-Key was used for another request; use a new one for a new request.")
    if endpoint.metering is Metering.CALL:
        await gate.admit_rate(call)
    call.decided("idempotency", "replayed", request_id=ids.public("req", claimed.request_id))
    call.headers |= {**_REPLAYED, "Original-Request-Id": ids.public("req", claimed.request_id)}
    if claimed.standing is Standing.TOO_LARGE:
        raise AnswerTooLarge(
            "The request with this Idempotency-Key was done, but its answer was too large to be kept.",
            extra={"original_request_id": ids.public("req", claimed.request_id)},
        )
    if claimed.answer is None:
        return await streams.attached(call, claimed.request_id, path=request.path)
    if held.ref is not None and not await retold.may_be_told(held.ref, claimed.answer.body):
        raise AnswerWithdrawn(
            "The request with this Idempotency-Key was done; its answer tells what was forgotten or taken back since.",
            extra={"original_request_id": ids.public("req", claimed.request_id)},
        )
    return HttpResponse(claimed.answer.body, status=claimed.answer.status, headers=dict(claimed.answer.headers))


async def _wait(held: Held, mark: str, claimed: Claimed) -> Claimed:
    """Until the first request with this key is done, streams, or has given the key back. Raises InFlight after half a
    minute."""
    loop = asyncio.get_running_loop()
    until, pause = loop.time() + _WAITED_S, _FIRST_PAUSE_S
    while claimed.standing is Standing.RUNNING:
        if await _streams(held, claimed):
            return claimed
        if loop.time() > until:
            raise InFlight(
                "The first request with this Idempotency-Key is still worked on; ask again.",
                retry_after=_RETRY_AFTER_S,
                extra={"original_request_id": ids.public("req", claimed.request_id)},
            )
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE_S)
        claimed = await held.claim(mark)
    return claimed


async def _streams(held: Held, claimed: Claimed) -> bool:
    if held.ref is None:
        return False
    try:
        return await reader.head(held.ref.id, claimed.request_id) is not None
    except Unavailable as error:
        log.debug("idempotency.cannot_follow", error=error.detail)
        return False


def _held(call: Call, key: str) -> Held:
    if call.account is not None:
        person = call.account.person
        return Held(account_claims, None, str(person.id), claim_id(f"account:{person.id}", key), call.request_id)
    grant, ref = call.principal.grant, call.principal.ref
    return Held(tenant_claims, ref, str(ref.id), claim_id(f"{grant.kind}:{grant.id}", key), call.request_id)


def _fingerprint(request: HttpRequest) -> str:
    meta = request.META
    headers = [meta.get(name, "") for name in _MEANING]
    return fingerprint(str(request.method), f"{request.path}?{meta['QUERY_STRING']}", headers, request.body)
