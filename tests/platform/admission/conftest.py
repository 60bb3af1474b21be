"""A Valkey of their own, so that these tests may flush, pause and kill it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ikiro.stack.testing import TestStack
from tests.platform.support import ensure_django

ensure_django()


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestStack]:
    stack = TestStack(tmp_path_factory.mktemp("admission") / "state")
    stack.valkey.start()
    yield stack
    stack.remove()


@pytest.fixture
def url(stack: TestStack) -> str:
    from gateway.core.valkey import sync_client

    url = stack.env["IKIRO_REDIS_URL"]
    with sync_client(url) as client:
        client.flushdb()
    return url


@pytest.fixture
def client(url: str) -> Iterator[Any]:
    from gateway.core.valkey import sync_client

    with sync_client(url) as client:
        yield client


@pytest.fixture
def desk(tmp_path: Path) -> Any:
    """A journal and a keeper of the test's own, as keyword arguments of ``admit`` and ``settle``."""
    from gateway.platform.admission.journal import Journal
    from gateway.platform.admission.leases import LeaseKeeper

    return {"journal": Journal(tmp_path / "journal"), "keeper": LeaseKeeper()}
