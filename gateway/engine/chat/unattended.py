"""Calls to a model that no request set off: a worker makes them for whoever set the work off, through the same spine.

Who that is, is looked up anew for each call, so whoever has left or may no longer call a model has none made for them.
From the first such call on, the worker's event loop keeps running what a web process keeps running for its calls: the
directory, the renewal of leases, what is in hand while the store is away. A thread that waits here gives its connection
back meanwhile.
"""

from __future__ import annotations

import atexit
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from gateway.core import ids, workloop
from gateway.core.background import Group
from gateway.core.endpoint import Call, Scope
from gateway.core.errors import GatewayError
from gateway.core.journal import Actor
from gateway.engine.chat import passthrough, pipeline
from gateway.engine.chat.types import Answer, ChatRequest
from gateway.governance.access import rules as access
from gateway.platform.admission import gate
from gateway.platform.flags import gate as flags
from gateway.platform.providers import last_used
from tenants.authentication import standing
from tenants.context import current, released
from tenants.directory import directory
from tenants.types import OrgRef

T = TypeVar("T")
_group: Group | None = None


def turn(author: Actor, request: ChatRequest, *, surface: str) -> Answer:
    """One turn for ``author`` in the organization in scope. ``surface`` says in records and ledger what set it off.
    Raises GatewayError as the pipeline does, and what ``tenants.authentication.standing`` raises."""
    return _wait(_made(current(), author, surface, lambda call: pipeline.whole(call, request)))


def plain(author: Actor, body: bytes, *, model: str, max_tokens: int, surface: str) -> bytes:
    """The answer of a bare model to ``body``, a chat completion request in OpenAI's shape. Raises as ``turn``."""

    async def ask(call: Call) -> bytes:
        passed = await passthrough.forward(call, body, model=model, stream=False, max_tokens=max_tokens)
        return await passed.whole()

    return _wait(_made(current(), author, surface, ask))


def _wait(work: Coroutine[Any, Any, T]) -> T:
    with released():
        return workloop.wait_for(work)


async def _made(org: OrgRef, author: Actor, surface: str, work: Callable[[Call], Awaitable[T]]) -> T:
    _keep_running()
    call = Call(ids.uuid7(), surface)
    call.known(await standing(org.id, author))
    try:
        access.require_scope(call.principal, Scope.CHAT)
        flags.require(call.principal.organization, "enable_gateway_api")
        made = await work(call)
    except GatewayError as error:
        if call.admission is None:  # what was admitted is told of by its settlement
            await gate.note_refusal(call, error)
        raise
    await gate.note_reads(call)
    return made


def _keep_running() -> None:
    """Begin, once in this process, what calls to a model need beside them."""
    global _group
    if _group is None:
        _group = Group()
        _group.run("directory", lambda: directory.follow(gate.read_epoch))
        _group.run("providers-last-used", last_used.loop)
        for name, loop in gate.background_loops().items():
            _group.run(name, loop)
        atexit.register(_end, _group)


def _end(group: Group) -> None:
    """Give back what is in hand when the process ends."""

    async def stop() -> None:
        await group.stop()
        await last_used.flush()
        await gate.close()

    workloop.wait_for(stop())
