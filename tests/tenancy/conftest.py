"""A product of its own on a stack of its own, because these tests kill and stop things."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ikiro.stack.testing import TestStack
from tests.harness import Gateway


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory, upstream: object) -> Iterator[Gateway]:
    """The running product with ``edge.stack`` to break under it."""
    stack = TestStack(Path(tmp_path_factory.mktemp("edge")) / "state").start()
    product = Gateway(
        stack.env, IKIRO_OPENAI_BASE_URL=upstream.base_url, IKIRO_OPENAI_API_KEY="sk-upstream", IKIRO_LEASE_TTL_S="3"
    )
    product.stack = stack
    product.prepare()
    for slug in ("acme", "globex"):
        product.manage("orgs", "limits", slug, "rate=100000", "calls=1000000")
    product.start()
    yield product
    product.stop()
    stack.remove()
