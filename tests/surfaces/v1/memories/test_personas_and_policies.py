"""`/v1/personas` and `/v1/policies` as the wire contract has them, and what a narrowed key may do."""

from __future__ import annotations

import pytest

from tests.knowledge.personas.support import cartridge
from tests.surfaces.v1.memories.support import Client, caller


@pytest.fixture
def client(acme):
    return Client(caller(acme))


def test_persona__life__from_create_to_archive(client) -> None:
    status, made = client.post("/personas", json={"cartridge": cartridge(tone="warm")})
    assert status == 201
    assert (made["id"], made["version"], made["cartridge"]) == ("sage", 1, cartridge(tone="warm"))
    assert [finding["rule"] for finding in made["warnings"]] == ["tone-known"]
    status, second = client.put("/personas/sage", json={"cartridge": cartridge(), "expected_version": 1})
    assert (status, second["version"], second["warnings"]) == (200, 2, [])
    assert client.get("/personas/sage") == (200, second)
    assert client.get("/personas/sage?version=1")[1]["version"] == 1
    assert [one["version"] for one in client.get("/personas/sage/versions")[1]["data"]] == [2, 1]
    assert [one["id"] for one in client.get("/personas")[1]["data"]] == ["sage"]
    assert client.delete("/personas/sage")[1]["archived_at"] is not None
    assert client.get("/personas/sage") == (410, "persona_archived")


def test_publish__if_match__is_the_condition(client) -> None:
    client.post("/personas", json={"cartridge": cartridge()})
    second, third = {"cartridge": cartridge(tone="formal")}, {"cartridge": cartridge(tone="expert")}
    assert client.put("/personas/sage", json=second, headers={"If-Match": '"1"'})[0] == 200
    assert client.put("/personas/sage", json=second, headers={"If-Match": '"1"'}) == (409, "version_conflict")
    assert client.error.extra["current_version"] == 2
    assert client.put("/personas/sage", json=third, headers={"If-Match": "latest"})[0] == 422
    assert client.put("/personas/sage", json=third, headers={"If-Match": "*"})[1]["version"] == 3


def test_create__free_plan__has_room_for_one(acme) -> None:
    client = Client(caller(acme, plan="free"))
    assert client.post("/personas", json={"cartridge": cartridge("one")})[0] == 201
    assert client.post("/personas", json={"cartridge": cartridge("two")}) == (402, "plan_limit")
    assert client.put("/personas/one", json={"cartridge": cartridge("one")})[0] == 200


@pytest.mark.parametrize(
    "body", [{}, {"cartridge": []}, {"cartridge": {}}, {"cartridge": {"id": 1}}, {"cartridge": {"id": None}, "x": 1}]
)
def test_create__bad_body__is_422(client, body) -> None:
    assert client.post("/personas", json=body)[0] == 422
    assert client.get("/personas")[1]["data"] == []


@pytest.mark.parametrize(
    "path", ["/personas/nobody", "/personas/nobody/versions", "/personas/no%00body", "/personas/x?version=1"]
)
def test_get__unknown__is_404(client, path) -> None:
    assert client.get(path) == (404, "persona_not_found")


@pytest.mark.parametrize("version", ["0", "-5", "99999999999999999999"])
def test_get__version_out_of_range__is_404(client, version) -> None:
    client.post("/personas", json={"cartridge": cartridge()})
    assert client.get(f"/personas/sage?version={version}") == (404, "persona_version_not_found")


def test_key_of_some_personas__others__are_403(client, acme) -> None:
    client.post("/personas", json={"cartridge": cartridge()})
    narrow = Client(caller(acme, persona_ids=("vex",)))
    assert narrow.get("/personas")[1]["data"] == []
    for answer in (
        narrow.get("/personas/sage"),
        narrow.get("/personas/sage/versions"),
        narrow.put("/personas/sage", json={"cartridge": cartridge()}),
        narrow.delete("/personas/sage"),
        narrow.post("/personas", json={"cartridge": cartridge("other")}),
        narrow.get("/policies/effective?persona_id=sage"),
    ):
        assert answer == (403, "persona_not_allowed")
    assert client.get("/personas/sage")[1]["version"] == 1


def test_overlay__put_and_effective__says_who_set_what(client, globex) -> None:
    client.post("/personas", json={"cartridge": cartridge()})
    status, overlay = client.put(
        "/policies/overlays/organization",
        json={"locks": {"redact_mode": "strict", "dont": ["Swear"], "allowed_models": ["openai/*"]},
              "defaults": {"writes": {"approval": "auto", "auto_types": ["memory.*"], "min_confidence": 0.9}}},
    )  # fmt: skip
    assert (status, overlay["version"], overlay["level"]) == (200, 1, "org")
    assert client.get("/policies/overlays/organization") == (200, overlay)
    status, policy = client.get("/policies/effective?persona_id=sage&redact_mode=off&memory_scopes=gmail,chat")
    assert (status, policy["redact_mode"], policy["memory_scopes"]) == (200, "strict", ["gmail", "chat"])
    assert policy["dont"][0] == "Swear"
    assert "Invent facts about the person" in policy["dont"]
    assert policy["writes"] == {"approval": "auto", "auto_types": ["memory.*"], "min_confidence": 0.9}
    (line,) = [one for one in policy["trace"] if one["field"] == "redact_mode"]
    assert (line["set_by"], line["locked_by"], line["rule"]) == ("org", "org", "the stricter lock")
    assert Client(caller(globex)).get("/policies/effective")[1]["redact_mode"] == "default"


@pytest.mark.parametrize(
    "body",
    [
        {"locks": {"redact_mode": "loud"}},
        {"locks": {"colour": 1}},
        {"defaults": {"max_output_tokens": 0}},
        {"locks": {"do": ["x" * 501]}},
        {"locks": {"do": ["x"] * 51}},
        {"locks": {"do": ["a\0b"]}},
        {"locks": {"do": [" "]}},
        {"precedence": 101},
        {"defaults": {"writes": {"approval": "never"}}},
        {"surprise": 1},
    ],
)
def test_overlay__bad_body__is_422_and_nothing_changes(client, body) -> None:
    assert client.put("/policies/overlays/organization", json=body)[0] == 422
    assert client.get("/policies/overlays/organization")[1]["version"] == 0
