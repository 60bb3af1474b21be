"""Where a subject's id stands in a path: whatever text it is, every route is the subject's own."""

from __future__ import annotations

import secrets
from urllib.parse import quote

import httpx
import pytest

from tests.harness import Gateway, eventually
from tests.surfaces.clients import acme, globex

__all__ = ["acme", "globex"]
pytestmark = pytest.mark.django_db


def at(subject_id: str, rest: str = "") -> str:
    return f"/v1/subjects/{quote(subject_id, safe='')}{rest}"


@pytest.mark.parametrize("ending", ["acct/1", "boundaries", "export", "consents/gmail", "ä%2F/x y", "a/"])
def test_subject__any_text_as_its_id__has_consents_boundaries_relationships_and_an_end(
    acme: httpx.Client, globex: httpx.Client, ending: str
) -> None:
    subject_id = f"{secrets.token_hex(4)}/{ending}"
    assert acme.put(at(subject_id), json={"display_name": "Ann"}).json()["id"] == subject_id
    consent = acme.put(at(subject_id, "/consents/gmail"), json={"granted": False})
    assert (consent.status_code, consent.json()["source"]) == (200, "gmail")
    assert [one["granted"] for one in acme.get(at(subject_id, "/consents")).json()["data"]] == [False]
    line = acme.post(at(subject_id, "/boundaries"), json={"kind": "topic", "statement": "my divorce"})
    assert line.status_code == 201
    assert acme.delete(at(subject_id, f"/boundaries/{line.json()['id']}")).json()["lifted_at"] is not None
    standing = acme.put(at(subject_id, "/relationships/brand-default"), json={"stage": "friend"})
    assert (standing.status_code, standing.json()["subject_id"]) == (200, subject_id)
    assert acme.get(at(subject_id, "/export")).json()["subject"]["id"] == subject_id
    listed = acme.get("/v1/subjects", params={"query": subject_id[:9]}).json()["data"]
    assert [one["id"] for one in listed] == [subject_id]  # nothing else came into being on the way
    for route in ("", "/consents", "/boundaries", "/relationships", "/export"):
        assert globex.get(at(subject_id, route)).json()["code"] == "subject_not_found"

    erased = acme.delete(at(subject_id))
    assert erased.status_code == 202, erased.text
    operation = f"/v1/operations/{erased.json()['operation']['id']}"
    eventually(lambda: acme.get(operation).json()["state"] == "succeeded", within=60)
    assert acme.get(at(subject_id)).json()["code"] == "subject_not_found"


def test_subject__slash_that_is_not_encoded__is_no_such_path_and_makes_nothing(acme: httpx.Client) -> None:
    first = secrets.token_hex(4)
    answer = acme.put(f"/v1/subjects/{first}/acct/1", json={})
    assert (answer.status_code, answer.json()["code"]) == (404, "no_such_path")
    assert "%2F" in answer.json()["detail"]
    assert acme.get("/v1/subjects", params={"query": first}).json()["data"] == []


def test_path__slash_of_a_route_itself_encoded__is_no_such_path(gateway: Gateway) -> None:
    body = {"model": "ikiro/sandbox", "messages": [{"role": "user", "content": "Hello"}]}
    with gateway.acme.client() as client:
        for path in ("/v1%2Fsubjects", "/v1/chat%2fcompletions", "/v1%2Fchat"):
            assert client.post(path, json=body).status_code == 404
        assert client.get("/v1/models/ikiro%2Fsandbox").json()["id"] == "ikiro/sandbox"
        assert client.get("/v1/models/ikiro/sandbox").json()["id"] == "ikiro/sandbox"
