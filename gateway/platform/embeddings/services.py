"""Vectors on the way of a request, within its patience, and vectors for work that has time."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Sequence
from uuid import UUID

import structlog
from django.conf import settings

from gateway.core import background, workloop
from gateway.core.embedder.client import Client, EmbedderAway, Vector
from gateway.core.errors import GatewayError
from gateway.platform.embeddings import endpoint
from gateway.platform.embeddings.choice import choice_of
from gateway.platform.embeddings.errors import EmbeddingUnavailable
from gateway.platform.embeddings.types import Choice, Embedded
from tenants.types import Organization

log = structlog.get_logger(__name__)
# Of a request's time. The built-in model answers in a few milliseconds; an endpoint is a network away.
DEADLINE_S = 0.05
ENDPOINT_DEADLINE_S = 0.3
# Nobody asks with more, and a model sees no more of it.
_MAX_QUERY = 2_000
_MOST_KEPT = 4_096
# Of an endpoint: calls at once, failures in a row until it is left alone, and for how long.
_MOST_CALLS, _FAILURES, _PAUSE_S = 32, 3, 5.0

_Key = tuple[UUID, str, bytes]


class _Kept:
    """The vectors of the queries asked last, by organization, model and a hash of the query: no text is kept."""

    def __init__(self) -> None:
        self._vectors: OrderedDict[_Key, Vector] = OrderedDict()

    def get(self, key: _Key) -> Vector | None:
        vector = self._vectors.get(key)
        if vector is not None:
            self._vectors.move_to_end(key)
        return vector

    def put(self, key: _Key, vector: Vector) -> None:
        self._vectors[key] = vector
        while len(self._vectors) > _MOST_KEPT:
            self._vectors.popitem(last=False)

    def clear(self) -> None:
        self._vectors.clear()


class _Endpoints:
    """Queries to organizations' endpoints: one call for the same query, a bounded number of them, and quiet for one
    that keeps failing."""

    def __init__(self) -> None:
        self._calls: dict[_Key, asyncio.Task[Vector]] = {}
        self._failed: OrderedDict[tuple[UUID, str], tuple[int, float]] = OrderedDict()

    async def query(self, organization: Organization, choice: Choice, text: str, key: _Key) -> Vector:
        """The vector, within the deadline. A call that takes longer goes on, and its vector is there for who asks
        next. Raises EmbeddingUnavailable or what the endpoint's call raised."""
        call = self._calls.get(key)
        if call is None or call.get_loop() is not asyncio.get_running_loop():
            failures, until = self._failed.get(key[:2], (0, 0.0))
            if len(self._calls) >= _MOST_CALLS or (failures >= _FAILURES and time.monotonic() < until):
                raise EmbeddingUnavailable("The endpoint did not answer a moment ago.")
            call = background.start(self._call(organization, choice, text, key), name="embed-query")
            call.add_done_callback(_noticed)
            self._calls[key] = call
        done, _ = await asyncio.wait((call,), timeout=ENDPOINT_DEADLINE_S)
        if not done:
            raise EmbeddingUnavailable("The endpoint did not answer in time.")
        return call.result()

    async def _call(self, organization: Organization, choice: Choice, text: str, key: _Key) -> Vector:
        owner = key[:2]
        try:
            (vector,) = await endpoint.embed(organization, choice, [text], retries=0)
        except GatewayError:
            self._failed[owner] = (self._failed.pop(owner, (0, 0.0))[0] + 1, time.monotonic() + _PAUSE_S)
            while len(self._failed) > _MOST_KEPT:
                self._failed.popitem(last=False)
            raise
        finally:
            self._calls.pop(key, None)
        self._failed.pop(owner, None)
        _kept.put(key, vector)
        return vector


def _noticed(call: asyncio.Task[Vector]) -> None:
    """A call whose caller went away may fail without anybody asking why: the breaker knows."""
    if not call.cancelled():
        call.exception()


_kept, _endpoints = _Kept(), _Endpoints()
_clients: dict[str, Client] = {}


async def query(organization: Organization, text: str) -> Embedded | None:
    """The vector of what somebody looks for, within 50 ms (0.3 s from an organization's endpoint); None when there is
    none in that time, so that recall goes on without meaning. Raises nothing for want of an embedder."""
    choice, normal = choice_of(organization), " ".join(text.split())[:_MAX_QUERY]
    if choice is None or not normal:
        return None
    digest = hashlib.blake2b(normal.encode("utf-8", "replace"), digest_size=16).digest()
    key = (organization.ref.id, choice.model_id, digest)
    vector = _kept.get(key)
    if vector is None:
        try:
            vector = await _asked(organization, choice, normal, key)
        except (EmbedderAway, GatewayError) as error:
            log.debug("embeddings.query_degraded", model=choice.model_id, reason=type(error).__name__)
            return None
    return Embedded(choice.model_id, vector)


async def _asked(organization: Organization, choice: Choice, normal: str, key: _Key) -> Vector:
    if choice.endpoint is not None:
        return await _endpoints.query(organization, choice, normal, key)
    vector = await _client().query(normal, deadline_s=DEADLINE_S, late=lambda made: _kept.put(key, made))
    _kept.put(key, vector)
    return vector


async def texts(organization: Organization, wanted: Sequence[str]) -> list[Vector]:
    """A vector of the active model for each text, in their order, without hurry: whoever asks for a query goes first.

    Raises EmbeddingUnavailable when nobody embeds here or now, EmbeddingRefused when the organization's endpoint does
    not take these texts, another UpstreamError when it fails.
    """
    choice = choice_of(organization)
    if choice is None:
        raise EmbeddingUnavailable("No embedder is configured here.")
    if choice.endpoint is None:
        try:
            return await _client().batch(wanted)
        except EmbedderAway as error:
            raise EmbeddingUnavailable(str(error)) from None
    made: list[Vector] = []
    for first in range(0, len(wanted), endpoint.MAX_TEXTS):
        made += await endpoint.embed(organization, choice, wanted[first : first + endpoint.MAX_TEXTS])
    return made


def texts_now(organization: Organization, wanted: Sequence[str]) -> list[Vector]:
    """``texts`` for a worker's thread: waits for them."""
    return workloop.wait_for(texts(organization, wanted))


def forget() -> None:
    """Let go of every kept vector; what is asked next is asked anew."""
    _kept.clear()


async def close() -> None:
    """Let go of the embedder at shutdown."""
    for client in _clients.values():
        await client.close()


def _client() -> Client:
    path: str = settings.IKIRO_EMBEDDER_SOCKET
    if path not in _clients:
        _clients[path] = Client(path)
    return _clients[path]
