"""Clients of the two running organizations, and a library that is empty again after a test; imported where they are
used."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.harness import Gateway, eventually

WITHIN_S = 60


@pytest.fixture
def acme(gateway: Gateway) -> Iterator[httpx.Client]:
    with gateway.acme.client() as client:
        yield client


@pytest.fixture
def globex(gateway: Gateway) -> Iterator[httpx.Client]:
    with gateway.globex.client() as client:
        yield client


@pytest.fixture
def library(acme: httpx.Client, globex: httpx.Client) -> Iterator[None]:
    """Documents are everybody's in the organization: what a test leaves, every later recall would find."""
    yield
    for client in (acme, globex):

        def gone(client: httpx.Client = client) -> bool:
            found = client.get("/v1/documents", params={"limit": 100}).raise_for_status().json()["data"]
            for one in found:
                if one["state"] in ("ready", "failed"):
                    client.delete(f"/v1/documents/{one['id']}")
            return not found

        eventually(gone, within=WITHIN_S)
