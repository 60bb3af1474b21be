"""Memories with the same words are shown as one, so they are forgotten, silenced and brought back as one."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import httpx
import pytest

from tests.harness import Gateway
from tests.surfaces import clients
from tests.surfaces.v1.test_memory_vault import known, told

acme, globex = clients.acme, clients.globex
COPIES: list[tuple[str, dict[str, object]]] = [
    ("I love jazz", {}),
    ("I love jazz.", {}),
    ("I love jazz!", {}),
    ("I LOVE  jazz", {"source": "gmail"}),
    ("I love jazz", {"speaker": "Ann"}),
    ("I love jazz", {"persona_id": "brand-default"}),
]
TALE = "Straße, naïve, jazz"


@pytest.fixture
def ann() -> str:
    return f"twins-{uuid4().hex[:12]}"


@pytest.fixture
def narrow(gateway: Gateway, acme: httpx.Client) -> Iterator[httpx.Client]:
    key = {"name": "chat only", "memory_scopes": ["chat"], "scopes": ["memories:read", "memories:write"]}
    with gateway.acme.client(acme.post("/v1/keys", json=key).json()["secret"]) as client:
        yield client


def _copies(client: httpx.Client, subject: str) -> list[str]:
    made = [told(client, subject, text, **fields) for text, fields in COPIES]
    assert {one.status_code for one in made} == {201}
    return [one.json()["id"] for one in made]


def test_forget__one_of_many_copies__takes_all_along_and_restore_brings_them_back(
    acme: httpx.Client, globex: httpx.Client, ann: str
) -> None:
    copies = _copies(acme, ann)
    told(acme, ann, "I love jazz clubs")
    told(globex, ann, "I love jazz")
    assert known(acme, ann, "jazz")[1:] == ["I love jazz clubs"]
    gone = acme.delete(f"/v1/memories/{copies[2]}").json()
    assert sorted(gone["also"]) == sorted(set(copies) - {copies[2]})
    assert gone["beyond_reach"] == 0
    assert known(acme, ann, "jazz") == ["I love jazz clubs"]
    assert known(globex, ann, "jazz") == ["I love jazz"]
    for text, fields in COPIES:
        refused = told(acme, ann, text, extracted=True, **fields)
        assert (refused.status_code, refused.json()["code"]) == (409, "forgotten_before")
    back = acme.post(f"/v1/memories/{copies[2]}/restore").json()
    assert sorted(back["also"]) == sorted(gone["also"])
    assert {acme.get(f"/v1/memories/{one}").json()["status"] for one in copies} == {"active"}
    assert told(acme, ann, "I love jazz?", extracted=True, source="notes").status_code == 201


def test_forget__text_beyond_ascii__finds_its_copies_in_any_case(acme: httpx.Client, ann: str) -> None:
    first = told(acme, ann, TALE).json()
    second = told(acme, ann, TALE.upper(), source="gmail").json()
    third = told(acme, ann, "STRASSE naïve jazz", source="notes").json()
    assert acme.delete(f"/v1/memories/{first['id']}").json()["also"] == [second["id"], third["id"]]
    assert known(acme, ann, "jazz") == []


def test_forget__by_a_narrowed_key__leaves_what_lies_beyond_and_says_so(
    acme: httpx.Client, narrow: httpx.Client, ann: str
) -> None:
    chat, dotted, _, mail, *_ = _copies(acme, ann)
    gone = narrow.delete(f"/v1/memories/{chat}").json()
    assert (dotted in gone["also"], mail in gone["also"], gone["beyond_reach"]) == (True, False, 1)
    assert known(narrow, ann, "jazz") == []
    assert known(acme, ann, "jazz") == ["I LOVE  jazz"]
    assert acme.delete(f"/v1/memories/{mail}").json()["also"] == []
    back = narrow.post(f"/v1/memories/{chat}/restore").json()
    assert (sorted(back["also"]), back["beyond_reach"]) == (sorted(gone["also"]), 0)
    assert acme.get(f"/v1/memories/{mail}").status_code == 410


def test_restore__when_one_copy_was_said_anew__brings_back_the_others(acme: httpx.Client, ann: str) -> None:
    copies = _copies(acme, ann)
    acme.delete(f"/v1/memories/{copies[0]}")
    told(acme, ann, "I LOVE  jazz", source="gmail")
    back = acme.post(f"/v1/memories/{copies[0]}/restore").json()
    assert sorted(back["also"]) == sorted({*copies[1:3], *copies[4:]})
    assert acme.get(f"/v1/memories/{copies[3]}").status_code == 410


def test_silence__one_of_many_copies__silences_all_until_it_is_undone(
    acme: httpx.Client, globex: httpx.Client, narrow: httpx.Client, ann: str
) -> None:
    copies = _copies(acme, ann)
    _copies(globex, ann)
    acme.post(f"/v1/memories/{copies[1]}/silence")
    assert known(acme, ann, "jazz") == []
    assert len(known(globex, ann, "jazz")) == 1
    assert {acme.get(f"/v1/memories/{one}").json()["status"] for one in copies} == {"silenced"}
    back = narrow.post(f"/v1/memories/{copies[1]}/unsilence").json()
    assert (back["status"], len(back["also"]), back["beyond_reach"]) == ("active", 4, 1)
    assert acme.get(f"/v1/memories/{copies[3]}").json()["status"] == "silenced"
    assert acme.post(f"/v1/memories/{copies[3]}/unsilence").json()["status"] == "active"


def test_forget__earlier_wording_of_another_memory__goes_without_what_it_was_corrected_to(
    acme: httpx.Client, ann: str
) -> None:
    old = told(acme, ann, "I love jazz", source="gmail").json()
    acme.patch(f"/v1/memories/{old['id']}", json={"text": "I love blues"})
    mine = told(acme, ann, "I love jazz").json()
    assert acme.delete(f"/v1/memories/{mine['id']}").json()["also"] == [old["id"]]
    assert known(acme, ann, "love") == ["I love blues"]
    assert acme.post(f"/v1/memories/{mine['id']}/restore").json()["also"] == [old["id"]]
    assert acme.get(f"/v1/memories/{old['id']}").json()["status"] == "superseded"
