"""What the scheduler does each round, and how often. Every job may run again after a crash, and twice, without harm."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings
from django.db import connections

from gateway.core.valkey import sync_client
from gateway.governance.proposals import tasks as proposals
from gateway.platform.admission.services import reap
from gateway.platform.audit import sealing
from gateway.platform.ledger import services as ledger
from gateway.platform.operations import tasks as operations
from gateway.platform.outbox import sweeps
from gateway.platform.outbox.types import Kind
from ikiro.scheduler import trail
from tenants import directory, selectors
from tenants.accounts import upkeep as accounts
from tenants.context import public_scope
from tenants.people import sessions
from tenants.provisioning import service as provisioning

# Under a flood of entries the other jobs still get their turn.
_DRAINS_A_ROUND = 20


@dataclass(frozen=True, slots=True)
class Job:
    """``work`` runs every ``every_s`` seconds."""

    name: str
    every_s: float
    work: Callable[[], object]


def leases() -> None:
    """Leases that nobody renewed become entries."""
    reap(sync_client(settings.IKIRO_REDIS_URL))


def usage() -> None:
    """Counters back after a flush, then the streams to rows; in this order."""
    client = sync_client(settings.IKIRO_REDIS_URL)
    ledger.reseed(client, connections["batch"])
    for _ in range(_DRAINS_A_ROUND):
        if not ledger.drain(client, connections["batch"], trail.write):
            break


def sealing_sweep() -> None:
    """Committed audit entries into their chains."""
    sealing.sweep(connections["batch"])


def announce_directory() -> None:
    """Heal a change whose process died before it told the workers."""
    with public_scope():
        version = selectors.directory_version()
    directory.announce(version)


def sweep_unfinished() -> None:
    """Proposals and operations that a dead worker left, by their markers: an idle organization costs nothing."""
    for ref in sweeps.organizations(connections["batch"], Kind.PROPOSAL):
        proposals.sweep.send(ref)
    for ref in sweeps.organizations(connections["batch"], Kind.OPERATION):
        operations.sweep.send(ref)


def sweep_provisioning() -> None:
    """Organizations whose building stands still."""
    with public_scope():
        provisioning.sweep()


def expire() -> None:
    """Proposals that nobody decided in time, in every organization."""
    with public_scope():
        ready = [organization.ref for organization in selectors.organizations(state="ready")]
    for ref in ready:
        proposals.sweep.send(ref)


def forget_sessions() -> None:
    """Ended sessions that no token can belong to any more."""
    with public_scope():
        sessions.purge()


def tidy_accounts() -> None:
    """Expired sessions, old events and sign-ups that nobody proved."""
    with public_scope():
        accounts.sweep()


def partitions() -> None:
    """A week of ledger partitions ahead."""
    ledger.ensure_partitions()


JOBS = (
    Job("partitions", 3600, partitions),
    Job("leases", 1.0, leases),
    Job("usage", 0.3, usage),
    Job("audit-sealing", 0.5, sealing_sweep),
    Job("directory", 1.0, announce_directory),
    Job("unfinished", 2.0, sweep_unfinished),
    Job("provisioning", 5.0, sweep_provisioning),
    Job("expiry", 3600.0, expire),
    Job("sessions", 60.0, forget_sessions),
    Job("accounts", 3600.0, tidy_accounts),
)
