"""What every test may ask for: two organizations in a migrated database, and the running product in front of a
scripted provider."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connections

from tests.embedding import Embedder
from tests.harness import Gateway, free_port
from tests.plugin import STACK


@pytest.fixture(scope="session")
def django_db_setup(django_db_blocker: object) -> Iterator[None]:
    """The stack's own database, migrated by the product's own command. There is no second test database beside it."""
    from gateway.platform.ledger.partitions import ensure_partitions
    from tenants import fleet, selectors, services
    from tenants.provisioning import service as provisioning

    with django_db_blocker.unblock():
        fleet.migrate()
        ensure_partitions()
        for slug in ("unit-acme", "unit-globex"):
            provisioning.run(services.organization_create(slug=slug, name=slug, plan="business").ref.id)
            assert selectors.organization_by_slug(slug).state == "ready"
        yield
        connections.close_all()


@pytest.fixture
def acme(db: None):
    """An organization for tests that call services themselves; all they write is rolled back."""
    from tenants import selectors

    return selectors.organization_by_slug("unit-acme").ref


@pytest.fixture
def globex(db: None):
    """The other organization: what acme does must not show here."""
    from tenants import selectors

    return selectors.organization_by_slug("unit-globex").ref


@pytest.fixture(scope="session")
def upstream() -> Iterator[object]:
    """A scripted provider on a real socket."""
    from tests.upstream import running

    with running() as server:
        yield server


@pytest.fixture(scope="session")
def embedder() -> Iterator[Embedder]:
    """The built-in embedder of the test stack, as a process of its own; ``ready()`` waits for it."""
    process = Embedder(STACK.env)
    try:
        yield process.start()
    finally:
        process.stop()


@pytest.fixture(scope="session")
def gateway(django_db_setup: None, upstream: object, embedder: Embedder) -> Iterator[Gateway]:
    """The whole product, running: web, worker, scheduler; organizations ``acme`` and ``globex`` with a key each."""
    product = Gateway(
        STACK.env,
        IKIRO_OPENAI_BASE_URL=upstream.base_url,
        IKIRO_OPENAI_API_KEY="sk-upstream",
        IKIRO_ANTHROPIC_BASE_URL=upstream.root,
        IKIRO_ANTHROPIC_API_KEY="sk-ant-upstream",
        # An organization's own provider may be the scripted one; the rest of the private networks stays closed.
        IKIRO_EGRESS_ALLOW="127.0.0.1",
        IKIRO_DNS_SERVERS=f"127.0.0.1:{free_port()}",
    )
    try:
        product.prepare()
        product.start()
        yield product
    finally:
        product.stop()
