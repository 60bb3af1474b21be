"""A gateway with little patience for its provider, and Node with the pinned client."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.contract.clients.node_runtime import Node
from tests.harness import Gateway
from tests.plugin import STACK


@pytest.fixture(scope="session")
def front(gateway: Gateway, upstream: Any) -> Iterator[Gateway]:
    """A web process of its own before the same stores and organizations: it gives up on a silent provider after four
    seconds and leaves trying again to the client."""
    product = Gateway(
        STACK.env,
        IKIRO_OPENAI_BASE_URL=upstream.base_url,
        IKIRO_OPENAI_API_KEY="sk-upstream",
        IKIRO_ANTHROPIC_BASE_URL=upstream.root,
        IKIRO_ANTHROPIC_API_KEY="sk-ant-upstream",
        IKIRO_UPSTREAM_STALL_S="3",
        IKIRO_UPSTREAM_FIRST_TOKEN_S="4",
        IKIRO_UPSTREAM_RETRIES="0",
    )
    product.acme = replace(gateway.acme, base_url=product.base_url)
    product.globex = replace(gateway.globex, base_url=product.base_url)
    product.web.start()
    try:
        product.wait_ready()
        yield product
    finally:
        product.web.stop()


@pytest.fixture(scope="session")
def node(pytestconfig: pytest.Config) -> Node:
    """Node.js from its wheel, with the packages of ``node/package-lock.json``."""
    return Node.for_tests(pytestconfig.cache)
