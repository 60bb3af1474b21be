"""Two organizations, and a recorder in the dispatcher's place."""

from __future__ import annotations

from uuid import UUID

import pytest

from gateway.platform.operations import dispatch
from tenants.types import OrgRef
from tests.factories.organizations import acme, committed_database, globex, quiet

__all__ = ["acme", "committed_database", "globex", "quiet"]


@pytest.fixture(autouse=True)
def dispatched(monkeypatch: pytest.MonkeyPatch) -> list[tuple[OrgRef, UUID]]:
    """What was handed to workers."""
    sent: list[tuple[OrgRef, UUID]] = []
    monkeypatch.setattr(dispatch, "_send", lambda ref, operation_id: sent.append((ref, operation_id)))
    return sent
