"""Two organizations with a table for the test executor's notes, and a recorder in the dispatcher's place."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import pytest

from gateway.governance.proposals import dispatch
from tenants.types import OrgRef
from tests.factories.organizations import committed_database, new_organization, quiet, remove
from tests.governance.proposals.outside import Receiver, receiving
from tests.governance.proposals.support import make_note_table, registered

__all__ = ["committed_database", "quiet"]


def _organization(name: str) -> Iterator[OrgRef]:
    ref = new_organization(name)
    make_note_table(ref)
    yield ref
    remove(ref)


@pytest.fixture
def acme(quiet: None) -> Iterator[OrgRef]:
    yield from _organization("acme")


@pytest.fixture
def globex(quiet: None) -> Iterator[OrgRef]:
    yield from _organization("globex")


@pytest.fixture(autouse=True)
def executor() -> Iterator[None]:
    with registered():
        yield


@pytest.fixture(autouse=True)
def dispatched(monkeypatch: pytest.MonkeyPatch) -> list[tuple[OrgRef, UUID, float]]:
    """What was handed to workers. (Celery's own way is tested with a running worker.)"""
    sent: list[tuple[OrgRef, UUID, float]] = []
    monkeypatch.setattr(dispatch, "_send", lambda ref, proposal_id, delay_s: sent.append((ref, proposal_id, delay_s)))
    return sent


@pytest.fixture
def receiver(settings: object) -> Iterator[Receiver]:
    """A webhook receiver of somebody else's, which the gateway may call."""
    settings.IKIRO_EGRESS_ALLOW = "127.0.0.1"
    with receiving() as found:
        yield found
