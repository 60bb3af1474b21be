"""The only way to define a Celery task: with its organization as an explicit first argument, or spelled out as public.

The organization travels as plain strings in the message. A task that arrives without one refuses to run; there is no
default. Messages are sent when the surrounding transaction commits, so a worker never looks for a row that is not
there yet. If the process dies between commit and send, the owning slice's sweep finds the left-over.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, ParamSpec
from uuid import UUID

from celery import shared_task
from django.db import transaction

from tenants.context import public_scope, scope
from tenants.types import OrgRef

P = ParamSpec("P")


class MissingTenant(RuntimeError):
    """A tenant task was delivered without an organization."""


class TenantTask(Generic[P]):
    """A task of one organization; ``send(ref, …)`` enqueues it on commit."""

    def __init__(self, name: str, work: Callable[..., Any]) -> None:
        self.name = name
        self.work = work

        def deliver(*args: Any, org: dict[str, str] | None = None) -> None:
            if not org or "id" not in org or "schema" not in org:
                raise MissingTenant(f"{name} arrived without an organization and does not run.")
            ref = OrgRef(UUID(org["id"]), org["schema"])
            with scope(ref):
                work(ref, *args)

        self.celery_task = shared_task(name=name, bind=False)(deliver)

    def send(self, ref: OrgRef, *args: Any, delay_s: float = 0) -> None:
        """Enqueue after commit, to run no earlier than ``delay_s`` from then. ``args`` are JSON values, ids as
        strings."""
        org = {"id": str(ref.id), "schema": ref.schema}
        transaction.on_commit(
            lambda: self.celery_task.apply_async(args, {"org": org}, countdown=delay_s, retry=False),
            robust=True,
        )


def tenant_task(*, name: str) -> Callable[[Callable[..., Any]], TenantTask[Any]]:
    """Make ``def work(ref: OrgRef, …)`` a task that runs inside ``scope(ref)``."""
    return lambda work: TenantTask(name, work)


class PublicTask:
    """A task of the installation itself: public schema, no organization in scope."""

    def __init__(self, name: str, work: Callable[..., Any]) -> None:
        self.name = name
        self.work = work

        def deliver(*args: Any) -> None:
            with public_scope():
                work(*args)

        self.celery_task = shared_task(name=name, bind=False)(deliver)

    def send(self, *args: Any) -> None:
        """Enqueue after commit."""
        transaction.on_commit(lambda: self.celery_task.apply_async(args, retry=False), robust=True)


def public_task(*, name: str) -> Callable[[Callable[..., Any]], PublicTask]:
    """Make ``def work(…)`` a task without an organization."""
    return lambda work: PublicTask(name, work)
