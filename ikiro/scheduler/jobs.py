"""What the scheduler does each round, and how often. Every job may run again after a crash, and twice, without harm."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, connections

from gateway.core import clock
from gateway.core.valkey import sync_client
from gateway.engine.closing import dropping
from gateway.engine.closing import tasks as closing
from gateway.engine.consistency import tasks as consistency
from gateway.engine.conversations import tasks as conversations
from gateway.engine.erasure import tasks as erasure
from gateway.governance.proposals import tasks as proposals
from gateway.knowledge.memory import embedding_tasks
from gateway.knowledge.memory import tasks as memory
from gateway.platform.admission.services import reap
from gateway.platform.audit import sealing
from gateway.platform.billing import alerts
from gateway.platform.embeddings.turns import Turns
from gateway.platform.idempotency import tasks as idempotency
from gateway.platform.ledger import services as ledger
from gateway.platform.ledger import usage as ledger_usage
from gateway.platform.operations import tasks as operations
from gateway.platform.outbox import sweeps
from gateway.platform.outbox.types import Kind
from gateway.platform.requests import tasks as requests
from ikiro.scheduler import trail
from tenants import directory, selectors
from tenants.accounts import upkeep as accounts
from tenants.context import public_scope, scope
from tenants.people import sessions
from tenants.provisioning import service as provisioning
from tenants.rules import Level

log = structlog.get_logger(__name__)
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


def _limit_subjects() -> list[UUID]:
    """The organizations that limit each of their subjects."""
    with public_scope():
        ready = selectors.organizations(state="ready")
    return [found.ref.id for found in ready if any(rule.level == Level.SUBJECT for rule in found.rules)]


def usage() -> None:
    """Counters back after a flush, then the streams to rows; in this order."""
    client = sync_client(settings.IKIRO_REDIS_URL)
    ledger.reseed(client, connections["batch"], _limit_subjects)
    for _ in range(_DRAINS_A_ROUND):
        if not ledger.drain(client, connections["batch"], trail.write):
            break


def thresholds() -> None:
    """80 and 100 % of quotas and budgets, of organizations that used anything lately."""
    lately = clock.now() - timedelta(hours=2)
    for org_id in ledger_usage.organizations_since(connections["batch"], lately):
        with public_scope():
            organization = selectors.organization(org_id)
        if organization is None or organization.state != "ready":
            continue
        try:
            with scope(organization.ref):
                alerts.check(organization)
        except (OperationalError, InterfaceError):
            raise
        except Exception:
            log.exception("scheduler.thresholds_failed", organization=organization.ref.public_id)


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


def forget_claims() -> None:
    """Idempotency keys whose day is over, in every organization."""
    with public_scope():
        ready = [organization.ref for organization in selectors.organizations(state="ready")]
    for ref in ready:
        idempotency.purge.send(ref)


def retain_requests() -> None:
    """Decision records and bodies that organizations no longer keep."""
    with public_scope():
        ready = [organization.ref for organization in selectors.organizations(state="ready")]
    for ref in ready:
        requests.retain.send(ref)


def retain_conversations() -> None:
    """Turns that organizations no longer keep, and conversations that fell silent without any."""
    with public_scope():
        ready = [organization.ref for organization in selectors.organizations(state="ready")]
    for ref in ready:
        conversations.retain.send(ref)


def sweep_erased() -> None:
    """What came late about subjects that were erased within a day."""
    with public_scope():
        ready = [organization.ref for organization in selectors.organizations(state="ready")]
    for ref in ready:
        erasure.sweep.send(ref)


def close_organizations() -> None:
    """Organizations whose notice is over."""
    with public_scope():
        dropping.sweep()


def forget_exports() -> None:
    """Exports whose time is over, in every organization."""
    with public_scope():
        ready = [organization.ref for organization in selectors.organizations(state="ready")]
    for ref in ready:
        closing.forget_exports.send(ref)


def tidy_memories() -> None:
    """Each night once: what was forgotten a month ago or has expired goes, what says the same becomes one."""
    with public_scope():
        ready = [organization.ref for organization in selectors.organizations(state="ready")]
    for ref in ready:
        memory.tidy.send(ref)


def golden_prompts() -> None:
    """Each night once: the personas that are asked whether they still sound like themselves."""
    with public_scope():
        ready = [organization.ref for organization in selectors.organizations(state="ready")]
    for ref in ready:
        consistency.nightly.send(ref)


def forget_sessions() -> None:
    """Ended sessions that no token can belong to any more."""
    with public_scope():
        sessions.purge()


def tidy_accounts() -> None:
    """Expired sessions, old events and sign-ups that nobody proved."""
    with public_scope():
        accounts.sweep()


def partitions() -> None:
    """A week of ledger partitions ahead, and none of a time that is over."""
    ledger.ensure_partitions()
    ledger.drop_expired()


def roll_ups() -> None:
    """Days of the ledger that are to be added up anew, after an upgrade."""
    ledger.rebuild_due(connections["batch"])


_turns = Turns()


def embed() -> None:
    """Memories without a vector, a few organizations at a time."""
    for ref in _turns.due(connections["batch"]):
        embedding_tasks.embed.send(ref)


def embed_everything() -> None:
    """Memories that no mark stands for, in every organization: after a time without an embedder, or refused once."""
    with public_scope():
        ready = [organization.ref for organization in selectors.organizations(state="ready")]
    for ref in ready:
        embedding_tasks.embed_everything.send(ref)


JOBS = (
    Job("partitions", 3600, partitions),
    Job("leases", 1.0, leases),
    Job("usage", 0.3, usage),
    Job("roll-ups", 5.0, roll_ups),
    Job("thresholds", 20.0, thresholds),
    Job("audit-sealing", 0.5, sealing_sweep),
    Job("directory", 1.0, announce_directory),
    Job("unfinished", 2.0, sweep_unfinished),
    Job("provisioning", 5.0, sweep_provisioning),
    Job("expiry", 3600.0, expire),
    Job("idempotency", 3600.0, forget_claims),
    Job("request-retention", 3600.0, retain_requests),
    Job("conversation-retention", 3600.0, retain_conversations),
    Job("erased", 900.0, sweep_erased),
    Job("closing", 10.0, close_organizations),
    Job("exports", 3600.0, forget_exports),
    Job("embedding", 1.0, embed),
    Job("embedding-left-behind", 6 * 3600.0, embed_everything),
    Job("memory-tidying", 3600.0, tidy_memories),
    Job("golden-prompts", 3600.0, golden_prompts),
    Job("sessions", 60.0, forget_sessions),
    Job("accounts", 3600.0, tidy_accounts),
)
