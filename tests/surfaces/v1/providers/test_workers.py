"""What one worker changes, every other obeys within about a second, without reading anything in between."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.harness import Gateway, eventually
from tests.surfaces.v1.providers.test_providers import _clean, ask, key_of, make, secret_key


@pytest.fixture
def acme(gateway: Gateway) -> Iterator[httpx.Client]:
    yield from _clean(gateway.acme)


@pytest.fixture
def second(gateway: Gateway) -> Iterator[httpx.Client]:
    """Acme through another web process of the same installation."""
    with gateway.beside() as product, product.acme.client() as client:
        yield client


def within_seconds(check: Any) -> float:
    began = time.monotonic()
    eventually(check, within=10, every=0.02)
    return time.monotonic() - began


def test_workers__other_than_the_one_that_was_told__follow_within_a_second_or_so(acme, second, upstream: Any):
    upstream.reset()
    keys = [secret_key(), secret_key()]
    made = make(acme, upstream, api_key=keys[0])

    def last_key() -> str | None:
        answer = ask(second, "mine/fake:normal")
        return key_of(upstream.calls()[-1]) if answer.status_code == 200 else None

    assert last_key() == keys[0]  # a name that is not known is looked for before it is refused
    took = []
    acme.post(f"/v1/providers/{made['id']}/rotate", json={"api_key": keys[1]})
    took.append(within_seconds(lambda: last_key() == keys[1]))
    acme.put("/v1/models/aliases/fast", json={"model": "mine/fake:normal"})
    took.append(within_seconds(lambda: ask(second, "fast").status_code == 200))
    acme.delete(f"/v1/providers/{made['id']}")
    took.append(within_seconds(lambda: ask(second, "mine/fake:normal").status_code == 404))
    # A poll every 250 ms and one load each; the rest is what a busy machine may take for the requests themselves.
    assert sorted(took)[1] < 1.5, took
    assert max(took) < 4, took
