"""A gateway with little patience for its provider, and Node with the pinned client."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.clients.node_runtime import Node
from tests.harness import Gateway


@pytest.fixture(scope="session")
def front(gateway: Gateway) -> Iterator[Gateway]:
    """A web process of its own before the same stores and organizations: it gives up on a silent provider after four
    seconds and leaves trying again to the client."""
    patience = {"IKIRO_UPSTREAM_STALL_S": "3", "IKIRO_UPSTREAM_FIRST_TOKEN_S": "4", "IKIRO_UPSTREAM_RETRIES": "0"}
    with gateway.beside(**patience) as product:
        yield product


@pytest.fixture(scope="session")
def node(pytestconfig: pytest.Config) -> Node:
    """Node.js from its wheel, with the packages of ``node/package-lock.json``."""
    return Node.for_tests(pytestconfig.cache)
