"""An organization of these tests' own, whose requests nobody else makes, and its owner."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.factories.people import People, committed_database, people
from tests.harness import Gateway, Org, eventually

__all__ = ["committed_database", "people"]

Said = Callable[..., httpx.Response]


@pytest.fixture(scope="module")
def org(gateway: Gateway) -> Org:
    return gateway.org("searched")


@pytest.fixture
def owner(people: People, org: Org) -> httpx.Client:
    """The owner, signed in."""
    from tenants import selectors  # after Django is set up

    return people.client(people.member("owner", of=org), selectors.organization_by_slug(org.slug).ref)


@pytest.fixture
def client(org: Org) -> Iterator[httpx.Client]:
    with org.client() as made:
        yield made


@pytest.fixture
def subject() -> str:
    return f"subject-{uuid4().hex[:12]}"


@pytest.fixture
def say(client: httpx.Client, subject: str) -> Said:
    """One turn; ``fields`` go into its body."""

    def turn(text: str = "Hello", *, by: httpx.Client | None = None, **fields: Any) -> httpx.Response:
        body = {
            "model": "ikiro/sandbox",
            "persona_id": "brand-default",
            "subject_id": subject,
            "messages": [{"role": "user", "content": text}],
            **fields,
        }
        return (by or client).post("/v1/chat", json=body)

    return turn


@pytest.fixture
def listed(client: httpx.Client) -> Callable[..., list[str]]:
    """The ids that a search finds, once there are as many as expected."""

    def ids(q: str, expected: int, **params: Any) -> list[str]:
        def page() -> list[str] | None:
            answer = client.get("/v1/requests", params={"q": q, **params})
            assert answer.status_code == 200, answer.text
            found = [row["request_id"] for row in answer.json()["data"]]
            return found if len(found) == expected else None

        return eventually(page, within=30) if expected else client.get("/v1/requests", params={"q": q}).json()["data"]

    return ids
