"""Node.js for the documentation's TypeScript."""

from __future__ import annotations

import pytest

from tests.contract.clients.node_runtime import Node


@pytest.fixture(scope="session")
def node(pytestconfig: pytest.Config) -> Node:
    """Node.js from its wheel, with the official client."""
    return Node.for_tests(pytestconfig.cache)
