"""What may grow without end is read in pages: a memory's history, the lines that a subject drew."""

from __future__ import annotations

import secrets
from typing import Any

import httpx
import pytest

from tests.surfaces.clients import acme, globex

__all__ = ["acme", "globex"]


@pytest.fixture
def ann() -> str:
    return f"ann/{secrets.token_hex(4)}"


def pages(client: httpx.Client, path: str, **params: Any) -> list[list[dict[str, Any]]]:
    """All pages of a list, one after the other."""
    found: list[list[dict[str, Any]]] = []
    cursor: str | None = None
    while not found or cursor is not None:
        answer = client.get(path, params={**params, **({"cursor": cursor} if cursor else {})})
        assert answer.status_code == 200, answer.text
        found.append(answer.json()["data"])
        cursor = answer.json()["next_cursor"]
    return found


def test_history__longer_than_a_page__comes_whole_and_once(acme: httpx.Client, globex: httpx.Client, ann: str) -> None:
    memory = acme.post(
        "/v1/memories", json={"subject_id": ann, "text": "Likes tea 0", "provenance": {"source": "chat"}}
    ).json()
    for number in range(1, 5):
        memory = acme.patch(f"/v1/memories/{memory['id']}", json={"text": f"Likes tea {number}"}).json()
    path = f"/v1/memories/{memory['id']}/history"
    found = pages(acme, path, limit=2)
    assert [[one["text"] for one in page] for page in found] == [
        ["Likes tea 4", "Likes tea 3"], ["Likes tea 2", "Likes tea 1"], ["Likes tea 0"],
    ]  # fmt: skip
    assert [len(page) for page in pages(acme, path, limit=5)] == [5]
    refused = acme.get(path, params={"limit": 0})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "#/query/limit")
    assert globex.get(path).status_code == 404


def test_boundaries__longer_than_a_page__come_whole_and_once(
    acme: httpx.Client, globex: httpx.Client, ann: str
) -> None:
    path = f"/v1/subjects/{ann.replace('/', '%2F')}/boundaries"
    drawn = []
    for topic in ("divorce", "surgery", "debts", "exams", "brother"):
        line = {"kind": "topic", "statement": f"my {topic}"}
        drawn.append(acme.post(path, json=line).json()["id"])
        globex.post(path, json=line).raise_for_status()
    acme.delete(f"{path}/{drawn[1]}").raise_for_status()
    assert [[one["id"] for one in page] for page in pages(acme, path, limit=3)] == [
        [drawn[0], drawn[2], drawn[3]], [drawn[4]],
    ]  # fmt: skip
    everything = [one["id"] for page in pages(acme, path, limit=2, lifted=True) for one in page]
    assert everything == drawn
    assert not set(everything) & {one["id"] for page in pages(globex, path) for one in page}
