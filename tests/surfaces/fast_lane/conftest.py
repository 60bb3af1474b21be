"""Two web processes on one database: one with the fast lane, one without."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.harness import Gateway


@dataclass(frozen=True)
class Lanes:
    """The same product twice, with the same organizations."""

    fast: Gateway
    usual: Gateway

    def both(self) -> tuple[Gateway, Gateway]:
        return self.fast, self.usual


@pytest.fixture(scope="module")
def lanes(gateway: Gateway) -> Iterator[Lanes]:
    set_alike = {
        "IKIRO_MODEL_ALIASES": '{"quick": "openai/fake:normal"}',
        "IKIRO_BODY_LIMIT_INFERENCE": "300000",
        "IKIRO_UPSTREAM_STALL_S": "1",
        "IKIRO_UPSTREAM_TOTAL_S": "2",
        "IKIRO_UPSTREAM_FIRST_TOKEN_S": "2",
        "IKIRO_UPSTREAM_RETRIES": "1",
    }
    with (
        gateway.beside(IKIRO_FAST_LANE="1", **set_alike) as fast,
        gateway.beside(IKIRO_FAST_LANE="0", **set_alike) as usual,
    ):
        yield Lanes(fast, usual)
