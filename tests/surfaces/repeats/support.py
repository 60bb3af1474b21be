"""Posting with a key, and what a post left behind."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import httpx

from gateway.core.journal import Actor
from tenants import keys
from tenants.context import scope
from tests.factories.people import People
from tests.harness import Org, eventually

CHAT, COMPLETIONS = "/v1/chat", "/v1/chat/completions"


def fresh(what: str = "once") -> str:
    return f"{what}-{uuid4().hex[:12]}"


def turn(subject: str, text: str = "hello", model: str = "openai/fake:normal", **more: Any) -> dict[str, Any]:
    """A body for ``/v1/chat``."""
    return {
        "model": model, "persona_id": "brand-default", "subject_id": subject,
        "messages": [{"role": "user", "content": text}], **more,
    }  # fmt: skip


def completion(text: str, model: str = "openai/fake:normal", **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": text}], **more}


def body_of(path: str, mark: str, **more: Any) -> dict[str, Any]:
    """A body for either dialect in which ``mark`` stands, so that the provider's calls can be told apart."""
    return turn(mark, mark, **more) if path == CHAT else completion(mark, **more)


def keyed(key: str, **more: str) -> dict[str, str]:
    return {"idempotency-key": key, **more}


def asked(upstream: Any, mark: str) -> list[dict[str, Any]]:
    """The provider's calls with ``mark`` in them."""
    return [call for call in upstream.calls() if mark in str(call["body"])]


def entries(org: Org, *, since: str) -> list[dict[str, Any]]:
    """The organization's ledger entries of requests after ``since``, once the writer has come past all of them."""
    with org.client() as client:
        marker = client.post(COMPLETIONS, json=completion("marker", "ikiro/sandbox")).headers["x-request-id"]

        def found() -> list[dict[str, Any]] | None:
            rows = client.get("/v1/requests?limit=100").json()["data"]
            return rows if any(row["request_id"] == marker for row in rows) else None

        rows = eventually(found, within=30)
    paid = [row for row in rows if row.get("kind") != "refusal"]
    return [row for row in paid if since < row["request_id"] < marker]


def here(org: Org) -> str:
    """A request id of now: whatever happens next has a greater one."""
    with org.client() as client:
        return client.get("/v1/me").headers["x-request-id"]


def replayed(answer: httpx.Response) -> bool:
    return answer.headers.get("idempotent-replayed") == "true"


def key_of(people: People, base_url: str, **limits: Any) -> str:
    """A new key of acme that every worker knows."""
    with scope(people.acme):
        secret = keys.create(name=fresh("key"), mode="test", actor=Actor("system", "test"), **limits).secret

    def known() -> bool:
        headers = {"authorization": f"Bearer {secret}"}
        return httpx.get(f"{base_url}/v1/me", headers=headers, timeout=10).status_code == 200

    eventually(known, within=20)
    return secret


@contextmanager
def at_once(count: int, work: Callable[[int], Any]) -> Iterator[list[Any]]:
    """The results of ``work`` run ``count`` times together, complete when the block is entered."""
    results: list[Any] = [None] * count
    barrier = threading.Barrier(count)

    def run(at: int) -> None:
        barrier.wait(30)
        results[at] = work(at)

    threads = [threading.Thread(target=run, args=(at,)) for at in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    yield results
