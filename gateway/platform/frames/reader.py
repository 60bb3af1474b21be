"""Following a stream from what is kept of it: what was missed, then what comes, to its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any
from uuid import UUID

import msgspec

from gateway.platform.frames.errors import StreamGap, StreamLost
from gateway.platform.frames.keys import StreamKeys, of_stream, store
from gateway.platform.frames.types import Head

_BATCHES_AT_ONCE = 64
# How often the store is asked for more: at once after something came, less and less often while nothing does.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.02, 0.25


async def head(org_id: UUID, request_id: UUID) -> Head | None:
    """Whose stream it is; None when nothing is kept of it. Raises StoreUnavailable."""
    raw = await store().execute("GET", of_stream(org_id, request_id).who)
    return None if raw is None else msgspec.json.decode(raw, type=Head)


async def ended(org_id: UUID, request_id: UUID) -> int | None:
    """The number of the last frame of a stream that is over; None while it goes on. Raises StoreUnavailable."""
    newest = await store().execute("XREVRANGE", of_stream(org_id, request_id).list, "+", "-", "COUNT", 1)
    return int(newest[0][0].split(b"-")[0]) if newest and newest[0][1][0] == b"end" else None


async def follow(org_id: UUID, request_id: UUID, *, after: int = 0) -> AsyncGenerator[bytes, None]:
    """The frames after number ``after``, as they were sent, until the stream's end.

    Raises StreamGap before the first frame when some were forgotten, StreamLost when no more will come though the end
    did not, StoreUnavailable.
    """
    keys, pause, wanted = of_stream(org_id, request_id), _FIRST_PAUSE_S, after + 1
    while True:
        alive, batches = await _look(keys, wanted)
        for _, fields in batches:
            if fields[0] == b"end":
                return
            first, frames = int(fields[1]), fields[3::2]
            if first > wanted:
                raise StreamGap(
                    f"The frames from {wanted} to {first - 1} are no longer kept; those after {first - 1} are.",
                    extra={"resume_after": first - 1},
                )
            for frame in frames[wanted - first :]:
                wanted += 1
                yield frame
        if not batches:
            if not alive and await ended(org_id, request_id) is not None:
                return  # before the frame that was asked for
            if not alive:
                raise StreamLost("The stream came to no end: its worker is gone, or could not keep its frames.")
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE_S)
        else:
            pause = _FIRST_PAUSE_S


async def _look(keys: StreamKeys, wanted: int) -> tuple[bool, list[Any]]:
    """Whether the worker lived just before the look, and the batches with frame ``wanted`` and later ones."""
    await store().ready()
    # In this order: a stream that ended in between shows its end.
    alive = store().submit("EXISTS", keys.alive)
    found = store().submit("XRANGE", keys.list, f"{wanted}-0", "+", "COUNT", _BATCHES_AT_ONCE)
    lives, batches = await asyncio.gather(alive, found)
    return bool(lives), batches
