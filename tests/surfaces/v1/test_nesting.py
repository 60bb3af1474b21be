"""Free JSON that is nested without end is refused with the limit, wherever it would be stored, and nothing is."""

from __future__ import annotations

import secrets
from typing import Any

import httpx
import pytest

from tests.surfaces.clients import acme, globex

__all__ = ["acme", "globex"]
pytestmark = pytest.mark.django_db


def nested(levels: int) -> Any:
    value: Any = []
    for _ in range(levels - 1):
        value = [value]
    return value


def calls(subject: str, levels: int) -> list[tuple[str, str, dict[str, Any], str]]:
    memory = {"subject_id": subject, "text": "Likes tea.", "provenance": {"source": "chat"}, "value": nested(levels)}
    payload = {"text": "Likes coffee.", "value": nested(levels - 1)}
    return [
        ("POST", "/v1/memories", memory, "#/value"),
        ("PUT", f"/v1/subjects/{subject}", {"attributes": {"a": nested(levels - 1)}}, "#/attributes"),
        ("POST", "/v1/proposals", {"type": "memory.upsert", "payload": payload, "subject_id": subject}, "#/payload"),
    ]


@pytest.mark.parametrize("levels", [33, 60, 64, 600])
def test_free_json__nested_deeper_than_the_limit__is_422_naming_it_and_stores_nothing(
    acme: httpx.Client, levels: int
) -> None:
    subject = f"deep-{secrets.token_hex(4)}"
    for method, path, body, pointer in calls(subject, levels):
        answer = acme.request(method, path, json=body)
        assert answer.status_code == 422, answer.text
        (problem,) = answer.json()["errors"]
        assert (problem["pointer"], problem["code"]) == (pointer, "too_deep")
        assert ("64 levels" if levels >= 64 else "32 levels") in problem["message"]
    assert acme.get(f"/v1/subjects/{subject}").status_code == 404
    assert acme.get("/v1/proposals", params={"subject_id": subject}).json()["data"] == []


def test_free_json__nested_up_to_the_limit__is_kept_shown_and_exported(
    acme: httpx.Client, globex: httpx.Client
) -> None:
    subject = f"deep-{secrets.token_hex(4)}"
    for client in (acme, globex):
        for method, path, body, _ in calls(subject, 32):
            answer = client.request(method, path, json=body)
            assert answer.status_code in (200, 201), answer.text
        exported = client.get(f"/v1/subjects/{subject}/export").raise_for_status().json()
        assert exported["subject"]["attributes"] == {"a": nested(31)}
        assert [one["value"] for one in exported["data"] if one["type"] == "memory"] == [nested(32)]


def test_batch__item_nested_too_deep__is_refused_alone(acme: httpx.Client) -> None:
    subject = f"deep-{secrets.token_hex(4)}"
    good = {"subject_id": subject, "text": "Likes tea.", "provenance": {"source": "chat"}}
    answer = acme.post("/v1/memories", json={"items": [{**good, "value": nested(33)}, good]}).raise_for_status()
    refused, stored = answer.json()["data"]
    assert refused["error"]["errors"][0]["pointer"] == "#/items/0/value"
    assert "id" in stored
