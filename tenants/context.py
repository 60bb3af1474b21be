"""The one place that switches the database to an organization, and the one bounded bridge from async to sync.

Rules (each held by a test in ``tests/tenancy/``):

* no scope, no rows: ``current()`` raises, and the request role sees nothing of the public ledger without
``app.org_id``;
* ``in_tenant`` enters the scope *inside* the executor's thread and leaves it there, so a connection's state never
  crosses threads; the connection goes back to the pool before the result reaches the caller, so none is held while a
  model thinks;
* nobody else touches ``connection.set_schema``, an executor or ``thread_sensitive``.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from typing import ParamSpec, TypeVar

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from psycopg_pool import PoolTimeout

from gateway.core.errors import Unavailable
from tenants.types import OrgRef

P = ParamSpec("P")
T = TypeVar("T")

_current: ContextVar[OrgRef | None] = ContextVar("tenant", default=None)
_executor: ThreadPoolExecutor | None = None
_accounts: ThreadPoolExecutor | None = None
_broken_until = 0.0
_FAIL_FAST_S = 0.5


class NoTenant(RuntimeError):
    """Code that needs an organization ran outside every scope."""


def current() -> OrgRef:
    """The organization in scope. Raises NoTenant outside one; there is no default."""
    ref = _current.get()
    if ref is None:
        raise NoTenant("No organization is in scope; enter tenants.context.scope(ref) first.")
    return ref


@contextmanager
def scope(ref: OrgRef) -> Iterator[None]:
    """Run the block inside one organization: its schema in the search path, its id in ``app.org_id``. Nests; always
    resets."""
    with _switched(ref):
        yield


@contextmanager
def public_scope() -> Iterator[None]:
    """Run the block in the public schema with no organization at all, whatever the connection was used for before.
    Nests; always resets."""
    with _switched(None):
        yield


@contextmanager
def _switched(ref: OrgRef | None) -> Iterator[None]:
    before = _current.get()
    token = _current.set(ref)
    try:
        _enter(ref)
        yield
    finally:
        _current.reset(token)
        if before is None:
            _leave()
        else:
            _enter(before)


@contextmanager
def released() -> Iterator[None]:
    """Give the connection back for a block that waits for something slower than the database, a model for instance, and
    enter the organization in scope anew behind it. Inside a transaction the connection is kept."""
    if not connection.in_atomic_block:
        connection.close()
    try:
        yield
    finally:
        _enter(_current.get())


def _enter(ref: OrgRef | None) -> None:
    connection.set_schema(ref.schema if ref is not None else "public")  # type: ignore[attr-defined]
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('app.org_id', %s, false)", [str(ref.id) if ref is not None else ""])


def _leave() -> None:
    """Back to public without a round trip: the next scope sets both values again before its first statement."""
    connection.set_schema_to_public()  # type: ignore[attr-defined]
    if not connection.in_atomic_block:
        connection.close()


async def in_tenant(ref: OrgRef, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a synchronous service or selector inside ``ref``, in the database executor. Raises Unavailable when
    PostgreSQL is away."""

    def run() -> T:
        with scope(ref):
            return work(*args, **kwargs)

    return await _submit(run)


async def in_public(work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a synchronous function on the public schema, with no organization in scope."""

    def run() -> T:
        with public_scope():
            return work(*args, **kwargs)

    return await _submit(run)


async def in_accounts(work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a whole request of the account lane on the public schema, in that lane's own few threads: slow sign-ins
    never stand in the API's way."""
    global _accounts

    def run() -> T:
        with public_scope():
            return work(*args, **kwargs)

    if _accounts is None:
        _accounts = ThreadPoolExecutor(settings.IKIRO_ACCOUNT_THREADS, thread_name_prefix="accounts")
    return await _submit(run, _accounts)


async def _submit(run: Callable[[], T], executor: ThreadPoolExecutor | None = None) -> T:
    global _executor
    if time.monotonic() < _broken_until:
        raise Unavailable("The database is not reachable; nothing was changed.", code="database_unavailable")
    if _executor is None:
        _executor = ThreadPoolExecutor(settings.IKIRO_DB_THREADS, thread_name_prefix="db")
    return await asyncio.get_running_loop().run_in_executor(executor or _executor, _guarded, run)


def _guarded(run: Callable[[], T]) -> T:
    """Translate a lost database into Unavailable, and for a moment refuse at once instead of queueing threads on it."""
    global _broken_until
    try:
        return run()
    except (OperationalError, InterfaceError, PoolTimeout) as error:
        state = getattr(error.__cause__, "sqlstate", None)
        if state is not None and not state.startswith(("08", "57P")):
            raise Unavailable("The database is too busy for this right now.", code="database_busy") from error
        _broken_until = time.monotonic() + _FAIL_FAST_S
        raise Unavailable("The database is not reachable; nothing was changed.", code="database_unavailable") from error
