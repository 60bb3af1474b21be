"""Closing a request's account, exactly once, whatever happens to the caller or the store."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from gateway.core.valkey import ScriptMissing, StoreUnavailable, Valkey
from gateway.platform.admission import entries, leases
from gateway.platform.admission import journal as journals
from gateway.platform.admission.journal import Call, Journal
from gateway.platform.admission.keys import of_org
from gateway.platform.admission.leases import LeaseKeeper
from gateway.platform.admission.scripts import SETTLE
from gateway.platform.admission.types import Lease, Settled, Settlement

COPY_KEPT_S = 300


async def settle(
    store: Valkey,
    lease: Lease,
    settlement: Settlement,
    *,
    earlier: Sequence[Settlement] = (),
    keeper: LeaseKeeper | None = None,
    journal: Journal | None = None,
) -> Settled:
    """Close ``lease`` with its outcome; ``earlier`` are attempts that failed before it, each an entry of its own.

    Safe to call twice, also at once. Without the store the outcome is on disk when this returns (JOURNALED). From the
    moment it is awaited a cancelled caller no longer stops it.
    """
    (leases.keeper() if keeper is None else keeper).release(lease)
    call = call_of(lease, settlement, earlier)
    file = journal or journals.journal()
    if lease.bounded:
        # Its opening is in the journal too, and must come first.
        return _kept(await asyncio.shield(file.append(call)))
    try:
        await store.ready()
        reply = store.submit_script(SETTLE, call.keys, call.args)
    except StoreUnavailable:
        return _kept(await asyncio.shield(file.append(call)))
    except asyncio.CancelledError:
        file.post(call)
        raise
    rescued: list[asyncio.Future[bool]] = []

    def rescue(done: asyncio.Future[Any]) -> None:
        # Not only when somebody still waits: the caller may be gone by the time the connection is lost.
        if done.cancelled() or done.exception() is not None:
            rescued.append(file.append(call))

    reply.add_done_callback(rescue)
    try:
        return Settled(await asyncio.shield(reply))
    except StoreUnavailable:
        return _kept(await asyncio.shield(rescued[0]))


def _kept(on_disk: bool) -> Settled:
    return Settled.JOURNALED if on_disk else Settled.AT_RISK


def resend(store: Valkey, call: Call, error: BaseException) -> None:
    """A settlement that was sent did not arrive: send it again where the store did not know the script, else write it
    down. Nobody waits."""
    file = journals.journal()
    if not isinstance(error, ScriptMissing):
        file.post(call)
        return
    try:
        sent = store.submit_script(SETTLE, call.keys, call.args)
    except StoreUnavailable:
        file.post(call)
    else:
        file.rescue(sent, call)


def call_of(lease: Lease, settlement: Settlement, earlier: Sequence[Settlement]) -> Call:
    """The script call that closes a lease."""
    counted = lease.counts_as_call and settlement.counts_as_call
    attempts = (*earlier, settlement)
    lines = [entries.entry_of(lease, attempt, counted=False) for attempt in earlier]
    lines.append(entries.entry_of(lease, settlement, counted=counted))
    refund = lease.counts_as_call and not settlement.counts_as_call
    return Call(
        "settle",
        [of_org(lease.org_id).base],
        [
            str(lease.request_id),
            str(sum(attempt.charged_micros for attempt in attempts)),
            "1" if refund else "0",
            str(COPY_KEPT_S),
            str(sum(attempt.prompt_tokens + attempt.completion_tokens for attempt in attempts)),
            str(lease.org_id),
            lease.holders,
            lease.month,
            lease.day,
            *(line.decode() for line in lines),
        ],
    )
