"""Ledger rows of organizations that really exist, written as the scheduler writes them."""

from __future__ import annotations

from typing import Any

from django.db import connections, transaction

from gateway.platform.ledger import writer
from tenants import selectors
from tenants.types import Organization, OrgRef


def put(*arrivals: Any) -> None:
    """Write them as the batch role, for good."""
    with transaction.atomic(using="batch"):
        assert writer.write(connections["batch"], arrivals) == []


def organization(ref: OrgRef) -> Organization:
    """As the directory has it now."""
    found = selectors.organization(ref.id)
    assert found is not None
    return found
