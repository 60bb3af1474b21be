"""Operations of a test's own kinds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from gateway.core.journal import Actor
from gateway.platform.operations import execution, registry, selectors, services
from gateway.platform.operations.types import Operation
from tenants.context import scope
from tenants.types import OrgRef

OWNER = Actor("user", "usr_owner")


@contextmanager
def runs(work: Callable[[Any], dict[str, Any] | None], kind: str = "test.work") -> Iterator[None]:
    """Have ``work`` run operations of ``kind`` within the block."""
    before = dict(registry._runners)
    registry._runners[kind] = work
    try:
        yield
    finally:
        registry._runners.clear()
        registry._runners.update(before)


def start(ref: OrgRef, kind: str = "test.work", **options: Any) -> Operation:
    with scope(ref):
        return services.start(kind, actor=options.pop("actor", OWNER), **options)


def run(ref: OrgRef, operation_id: UUID) -> Operation:
    with scope(ref):
        execution.run(operation_id)
        return selectors.get(operation_id)


def get(ref: OrgRef, operation_id: UUID) -> Operation:
    with scope(ref):
        return selectors.get(operation_id)
