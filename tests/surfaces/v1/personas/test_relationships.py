"""`/v1/subjects/{id}/relationships` over HTTP: of one organization, within what a key may see."""

from __future__ import annotations

import secrets

import pytest

from tests.harness import Gateway


@pytest.fixture
def subject() -> str:
    return f"rel-{secrets.token_hex(4)}"


def test_relationship__put_and_get__is_of_this_organization_alone(gateway: Gateway, subject: str) -> None:
    path = f"/v1/subjects/{subject}/relationships/brand-default"
    with gateway.acme.client() as acme, gateway.globex.client() as globex:
        assert acme.get(path).json()["code"] == "subject_not_found"
        put = acme.put(path, json={"stage": "friend"})
        assert put.status_code == 200, put.text
        assert put.json() == {
            "subject_id": subject, "persona_id": "brand-default", "stage": "friend", "turns": 31, "level": 5,
            "locked": False, "since": put.json()["since"], "next_stage_at": 127,
        }  # fmt: skip
        assert acme.get(path).json() == put.json()
        assert acme.get(f"/v1/subjects/{subject}/relationships").json() == {"data": [put.json()], "next_cursor": None}
        lower = acme.put(path, json={"stage": "stranger", "locked": True}).json()
        assert (lower["stage"], lower["turns"], lower["next_stage_at"]) == ("stranger", 0, None)
        assert globex.get(path).json()["code"] == "subject_not_found"
        assert globex.get(f"/v1/subjects/{subject}/relationships").status_code == 404
        assert acme.put(path.replace("brand-default", "nobody"), json={"stage": "friend"}).json()["code"] == (
            "persona_not_found"
        )
        for body in ({}, {"stage": "enemy"}, {"stage": "friend", "locked": 1}, {"stage": "friend", "x": 1}):
            assert acme.put(path, json=body).status_code == 422
        assert acme.get(path).json() == lower


def test_relationship__outside_a_narrowed_key__is_403_and_unchanged(gateway: Gateway, subject: str) -> None:
    path = f"/v1/subjects/{subject}/relationships/brand-default"
    with gateway.acme.client() as acme:
        acme.put(path, json={"stage": "friend"})
        made = [
            acme.post("/v1/keys", json={"name": subject, **narrowed}).json()
            for narrowed in ({"subject_ids": ["somebody"]}, {"persona_ids": ["somebody"]}, {"scopes": ["chat"]})
        ]
        codes = []
        for key in made:
            with gateway.acme.client(key["secret"]) as narrow:
                codes.append(
                    [narrow.get(path).json()["code"], narrow.put(path, json={"stage": "stranger"}).json()["code"]]
                )
        assert codes == [["subject_not_allowed"] * 2, ["persona_not_allowed"] * 2, ["scope_missing"] * 2]
        with gateway.acme.client(made[1]["secret"]) as narrow:
            assert narrow.get(f"/v1/subjects/{subject}/relationships").json()["data"] == []
        assert acme.get(path).json()["stage"] == "friend"
        for key in made:
            acme.delete(f"/v1/keys/{key['id']}")
