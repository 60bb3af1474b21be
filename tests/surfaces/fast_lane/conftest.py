"""Two web processes on one database: one with the fast lane, one without."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest

from tests.harness import Gateway
from tests.plugin import STACK


@dataclass(frozen=True)
class Lanes:
    """The same product twice, with the same organizations."""

    fast: Gateway
    usual: Gateway

    def both(self) -> tuple[Gateway, Gateway]:
        return self.fast, self.usual


@pytest.fixture(scope="module")
def lanes(gateway: Gateway, upstream: Any) -> Iterator[Lanes]:
    @contextmanager
    def served(fast: str) -> Iterator[Gateway]:
        product = Gateway(
            STACK.env,
            IKIRO_FAST_LANE=fast,
            IKIRO_OPENAI_BASE_URL=upstream.base_url,
            IKIRO_OPENAI_API_KEY="sk-upstream",
            IKIRO_MODEL_ALIASES='{"quick": "openai/fake:normal"}',
            IKIRO_UPSTREAM_STALL_S="1",
            IKIRO_UPSTREAM_TOTAL_S="2",
            IKIRO_UPSTREAM_FIRST_TOKEN_S="2",
            IKIRO_UPSTREAM_RETRIES="1",
        )
        product.acme = replace(gateway.acme, base_url=product.base_url)
        product.globex = replace(gateway.globex, base_url=product.base_url)
        product.web.start()
        try:
            product.wait_ready()
            yield product
        finally:
            product.web.stop()

    with ExitStack() as stack:
        yield Lanes(*(stack.enter_context(served(fast)) for fast in ("1", "0")))
