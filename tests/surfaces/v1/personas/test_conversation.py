"""What a persona's turn makes of its passport: the pinned version, the stage, the group, the redirect, who is told."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.harness import Gateway, eventually
from tests.knowledge.personas.support import cartridge


@pytest.fixture
def acme(gateway: Gateway) -> Iterator[httpx.Client]:
    with gateway.acme.client() as client:
        yield client


@pytest.fixture
def name(acme: httpx.Client) -> Iterator[str]:
    """The id of a persona of this test alone, and of its subject."""
    made = f"t-{secrets.token_hex(4)}"
    assert acme.post("/v1/personas", json={"cartridge": cartridge(made)}).status_code == 201
    yield made
    acme.delete(f"/v1/personas/{made}")


def say(client: httpx.Client, name: str, text: str, **given: Any) -> httpx.Response:
    body = {"model": "ikiro/sandbox", "persona_id": name, "subject_id": name, **given}
    return client.post("/v1/chat", json={**body, "messages": [{"role": "user", "content": text}]})


def tell(client: httpx.Client, name: str, text: str, **given: Any) -> None:
    item = {"subject_id": name, "text": text, "provenance": {"source": "chat"}, **given}
    assert client.post("/v1/memories", json=item).status_code in {200, 201}


def cited(answer: httpx.Response) -> set[str]:
    assert answer.status_code == 200, answer.text
    return {citation["snippet"] for citation in answer.json()["citations"]}


def test_chat__persona_with_a_version_behind_it__speaks_with_that_one(gateway: Gateway, name: str) -> None:
    with gateway.acme.client() as acme, gateway.globex.client() as globex:
        acme.put(f"/v1/personas/{name}", json={"cartridge": cartridge(name, tone="formal")})
        pinned = say(acme, f"{name}@1", "Hello", subject_id=name)
        assert (pinned.json()["persona_id"], pinned.json()["persona_version"]) == (name, 1)
        assert say(acme, name, "Hello").json()["persona_version"] == 2
        assert say(acme, f"{name}@3", "Hello").json()["code"] == "persona_version_not_found"
        assert say(acme, f"{name}@one", "Hello").status_code == 422
        assert say(globex, f"{name}@1", "Hello").json()["code"] == "persona_not_found"


def test_recall__told_to_one_persona_in_private__is_its_own_and_shared_is_everybodys(
    acme: httpx.Client, name: str
) -> None:
    other = f"{name}-b"
    acme.post("/v1/personas", json={"cartridge": cartridge(other)})
    tell(acme, name, "My secret harbour is Lysekil.", scope="private", persona_id=name)
    tell(acme, name, "My favourite harbour is Mariehamn.", scope="shared")
    told, stranger = (
        cited(say(acme, persona, "What do you know about my harbour?", subject_id=name)) for persona in (name, other)
    )
    acme.delete(f"/v1/personas/{other}")
    assert told == {"My secret harbour is Lysekil.", "My favourite harbour is Mariehamn."}
    assert stranger == {"My favourite harbour is Mariehamn."}


def test_chat__in_a_group__recalls_nothing_of_the_person_and_counts_no_turn(acme: httpx.Client, name: str) -> None:
    tell(acme, name, "My favourite harbour is Mariehamn.", scope="shared")
    question = "What do you know about my harbour?"
    assert cited(say(acme, name, question, persona_mode="group")) == set()
    assert cited(say(acme, name, question)) == {"My favourite harbour is Mariehamn."}
    path = f"/v1/subjects/{name}/relationships/{name}"
    eventually(lambda: acme.get(path).json()["turns"] == 1, within=30)


def test_chat__turn_by_turn__two_become_acquainted(acme: httpx.Client, name: str) -> None:
    path = f"/v1/subjects/{name}/relationships/{name}"
    for _ in range(7):
        assert say(acme, name, "Hello").status_code == 200
    known = eventually(lambda: (found := acme.get(path).json())["turns"] == 7 and found, within=30)
    assert (known["stage"], known["level"]) == ("acquaintance", 3)


def test_chat__about_what_the_persona_hands_over__is_the_redirect_at_no_cost(acme: httpx.Client, name: str) -> None:
    redirect = cartridge(name)["safetyRedirects"][0]["redirect"]
    answer = say(acme, name, "A MÉDICAL question, please")
    assert answer.status_code == 200, answer.text
    assert answer.json()["choices"][0]["message"]["content"] == redirect
    assert answer.json()["usage"]["total_tokens"] == 0
    plain = say(acme, name, "A medieval question, please").json()["choices"][0]["message"]["content"]
    assert redirect not in plain
