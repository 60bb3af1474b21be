"""The cast, and web processes beside the product's own, to be killed or cut off from a store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from tests.factories.organizations import committed_database
from tests.factories.people import people
from tests.harness import Gateway, free_port
from tests.plugin import STACK

__all__ = ["committed_database", "people"]


@pytest.fixture(scope="package")
def spare(gateway: Gateway, upstream: Any) -> Iterator[Gateway]:
    """A second web process before the same stores and organizations."""
    with _beside(gateway, upstream) as product:
        yield product


@pytest.fixture
def forgetful(gateway: Gateway, upstream: Any) -> Iterator[Gateway]:
    """A web process whose cache store is away; everything else is there."""
    with _beside(gateway, upstream, IKIRO_CACHE_URL=f"redis://127.0.0.1:{free_port()}/0") as product:
        yield product


@contextmanager
def _beside(gateway: Gateway, upstream: Any, **overrides: str) -> Iterator[Gateway]:
    product = Gateway(
        STACK.env, IKIRO_OPENAI_BASE_URL=upstream.base_url, IKIRO_OPENAI_API_KEY="sk-upstream", **overrides
    )
    product.acme = replace(gateway.acme, base_url=product.base_url)
    product.web.start()
    try:
        product.wait_ready(60)
        yield product
    finally:
        product.web.stop()
