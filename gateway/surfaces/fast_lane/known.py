"""Who may call what down the fast lane: decided as everywhere, and remembered while it stands."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from gateway.core import ids
from gateway.core.endpoint import Call, Endpoint
from gateway.engine.chat.prepared import Prepared, prepare
from gateway.surfaces import last_used, spine
from gateway.surfaces.fast_lane.asked import SCHEME
from tenants.authentication import authenticate
from tenants.types import Principal

# Each is some six kilobytes.
_MOST = 2_000
# How long a caller whose calls are not plain is sent down the usual lane without another look.
_LOOK_AGAIN_S = 2.0


# A caller, by the hash of their credential, a model, and whether the answer is streamed.
Name = tuple[bytes, str, bool]


class Known:
    """What was prepared, by name. ``endpoint`` is the operation that is called."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._kept: dict[Name, Prepared | float] = {}
        self._replaced: list[Prepared] = []
        last_used.also(self._used)

    def standing(self, name: Name, now: float, loop: asyncio.AbstractEventLoop) -> Prepared | None:
        """What stands for this caller and model at ``now`` (monotonic), if anything does. Raises Unavailable."""
        kept = self._kept.get(name)
        return kept if isinstance(kept, Prepared) and kept.stands(now, loop) else None

    async def prepared(self, name: Name, credential: bytes, now: float) -> Prepared | None:
        """What is made to stand for them; None where the calls are not plain. Raises GatewayError where they may not be
        made."""
        kept = self._kept.get(name)
        if isinstance(kept, Prepared):
            self._replaced.append(kept)
        elif kept is not None and now < kept:
            return None
        _, model, stream = name
        principal = await authenticate(credential[len(SCHEME) :].decode("latin-1"))
        made = await self._prepare(principal, model, stream=stream)
        if isinstance(other := self._kept.get(name), Prepared) and other is not kept:
            self._replaced.append(other)  # made by another request meanwhile
        if len(self._kept) >= _MOST:
            self._replaced += [one for one in self._kept.values() if isinstance(one, Prepared)]
            self._kept.clear()
        self._kept[name] = made if made is not None else now + _LOOK_AGAIN_S
        return made

    async def _prepare(self, principal: Principal, model: str, *, stream: bool) -> Prepared | None:
        key = principal.key
        if key is None or key.origins is not None or key.ip_ranges is not None:
            return None
        call = Call(ids.uuid7(), self._endpoint.surface or "v1")
        call.known(principal)
        spine.require(principal, self._endpoint)
        return await prepare(call, model, stream=stream)

    def _used(self) -> Iterable[last_used.Used]:
        replaced, self._replaced = self._replaced, []
        for prepared in (*replaced, *self._kept.values()):
            if isinstance(prepared, Prepared) and (used := prepared.used()) is not None:
                yield used
