"""`/v1/memories/{id}` and a subject's consents and boundaries: the routes, and what a narrowed key may do."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gateway.core import clock
from gateway.knowledge.memory import services, tidying
from gateway.knowledge.memory.models import Boundary, Consent, MemoryRow
from gateway.knowledge.memory.types import ORG_KNOWLEDGE, NewMemory, Provenance
from gateway.knowledge.subjects.models import SubjectRow
from tenants.context import scope
from tests.knowledge.memory.support import ALICE
from tests.surfaces.v1.memories.support import Client, caller

TEA = {"subject_id": "ann", "text": "Prefers green tea", "provenance": {"source": "gmail", "ref": "m1"}}


@pytest.fixture
def client(acme):
    return Client(caller(acme))


@pytest.fixture
def tea(client):
    return client.post("/memories", json=TEA)[1]


def found(client, query="tea", **fields):
    body = {"subject_id": "ann", "query": query, **fields}
    return [one["text"] for one in client.post("/memories/recall", json=body)[1]["data"]]


def test_create__assertion_fields__come_back_with_the_namespace(client, acme) -> None:
    given = {"about": "Ann", "where": "Bergen", "pii_tags": ["schedule"], "expires_at": "2999-01-01T00:00:00Z"}
    status, made = client.post("/memories", json={**TEA, **given})
    assert status == 201
    assert (made["about"], made["where"], made["pii_tags"]) == ("Ann", "Bergen", ["schedule"])
    assert made["namespace"] == f"{acme.public_id}_user_ann"
    assert (made["version"], made["hidden"], made["superseded_by"]) == (1, False, None)
    assert client.get(f"/memories/{made['id']}")[1] == {**made, "sources": [made["provenance"]]}
    assert client.get("/memories?subject_id=ann")[1]["data"] == [made]


@pytest.mark.parametrize(
    ("change", "pointer", "hint"),
    [
        ({"about": "x" * 513}, "#/about", "512"),
        ({"where": ""}, "#/where", "1"),
        ({"pii_tags": ["x"] * 21}, "#/pii_tags", "20"),
        ({"recalled": ["x"] * 201}, "#/recalled", "200"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "#/expires_at", "future"),
    ],
)
def test_create__limit_of_an_assertion_field__is_422_naming_it(client, acme, change, pointer, hint) -> None:
    assert client.post("/memories", json={**TEA, **change})[0] == 422
    assert client.error.problems[0].pointer == pointer
    assert hint in client.error.problems[0].message
    with scope(acme):
        assert MemoryRow.objects.count() == SubjectRow.objects.count() == 0


def test_create__contradicts_what_is_better_known__is_202_with_a_proposal(client) -> None:
    city = {"subject_id": "ann", "slot": "home.city"}
    client.post("/memories", json={**city, "text": "Lives in Oslo", "value": "Oslo", "provenance": {"source": "chat"}})
    weaker = {**city, "text": "Lives in Bergen", "value": "Bergen", "provenance": {"source": "web"}}
    status, answer = client.post("/memories", json=weaker)
    assert (status, set(answer), answer["index"]) == (202, {"index", "proposal_id"}, 0)
    _, batch = client.post("/memories", json={"items": [weaker]})
    assert batch["data"] == [answer]
    assert found(client, "lives") == ["Lives in Oslo"]
    stronger = {**weaker, "provenance": {"source": "chat"}}
    _, batch = client.post("/memories", json={"items": [stronger]})
    assert len(batch["data"][0]["superseded"]) == 1
    assert found(client, "lives") == ["Lives in Bergen"]


def test_create__extracted_again_after_forgetting__is_409(client, tea) -> None:
    client.delete(f"/memories/{tea['id']}")
    assert client.post("/memories", json={**TEA, "extracted": True}) == (409, "forgotten_before")
    assert client.post("/memories", json=TEA)[0] == 201


def test_list__each_filter__narrows(client, tea) -> None:
    chess = {**TEA, "text": "Plays chess", "slot": "Hobby", "value": "chess", "occurred_at": "2024-05-01T00:00:00Z"}
    _, other = client.post("/memories", json={**chess, "provenance": {"source": "chat"}, "persona_id": "sage"})
    client.post(f"/memories/{other['id']}/pin")
    texts = lambda query: [one["text"] for one in client.get(f"/memories?subject_id=ann&{query}")[1]["data"]]  # noqa: E731
    both, first, second = ["Plays chess", "Prefers green tea"], ["Prefers green tea"], ["Plays chess"]
    assert texts("slot=hobby") == texts("source=chat") == texts("pinned=true") == texts("persona_id=sage") == second
    assert texts("contains=GREEN") == texts("pinned=false") == texts("occurred_from=2024-06-01T00:00:00Z") == first
    assert texts("occurred_to=2024-06-01T00:00:00Z") == second
    assert texts("recorded_from=2024-06-01T00:00:00Z") == both
    assert texts("recorded_to=2024-06-01T00:00:00Z") == texts("status=superseded") == []
    client.post(f"/memories/{tea['id']}/silence")
    assert (texts(""), texts("status=silenced")) == (second, first)
    client.delete(f"/memories/{tea['id']}")
    assert texts("status=forgotten") == first
    assert client.get("/memories?contains=tea")[0] == 422
    assert client.error.problems[0].pointer == "#/query/subject_id"


def test_correct__twice_from_one_reading__the_second_is_409(client, tea) -> None:
    path = f"/memories/{tea['id']}"
    status, fresh = client.patch(path, json={"text": "Prefers black tea", "expected_version": 1})
    assert (status, fresh["version"], fresh["previous_id"]) == (200, 2, tea["id"])
    assert client.patch(path, json={"text": "Prefers cocoa"}, headers={"If-Match": '"1"'}) == (409, "version_conflict")
    assert client.error.extra["current"]["id"] == fresh["id"]
    assert client.patch(
        f"/memories/{fresh['id']}", json={"about": None, "where": "home"}, headers={"If-Match": '"1"'}
    ) == (
        409,
        "version_conflict",
    )
    assert client.patch(path, json={}, headers={"If-Match": "newest"})[0] == 422
    assert found(client) == ["Prefers black tea"]
    status, history = client.get(f"{path}/history")
    assert [(one["text"], one["status"], one["corrected"]) for one in history["data"]] == [
        ("Prefers black tea", "active", False),
        ("Prefers green tea", "superseded", True),
    ]
    assert client.patch(path, json={"scope": "shared"})[0] == 422
    assert client.patch(path, json={"text": "x" * 65_536})[0] == 422


def test_forgotten__memory__is_410_until_it_is_restored(client, tea) -> None:
    path = f"/memories/{tea['id']}"
    client.delete(path)
    for answer in (client.patch(path, json={"text": "x"}), client.get(f"{path}/history"), client.post(f"{path}/pin")):
        assert answer == (410, "memory_forgotten")
    status, again = client.post(f"{path}/restore")
    assert (status, again["status"]) == (200, "active")
    assert client.post(f"{path}/restore") == (200, again)
    assert found(client) == ["Prefers green tea"]


def test_silence_and_pin__twice__are_the_same_as_once(client, tea) -> None:
    path = f"/memories/{tea['id']}"
    silenced = client.post(f"{path}/silence")
    assert (silenced[0], silenced[1]["status"]) == (200, "silenced")
    assert client.post(f"{path}/silence") == silenced
    assert found(client) == []
    assert client.post(f"{path}/unsilence")[1]["status"] == "active"
    assert found(client) == ["Prefers green tea"]
    assert client.post(f"{path}/pin")[1]["pinned_at"] is not None
    assert client.post(f"{path}/unpin")[1]["pinned_at"] is None


def test_consents__put_and_listed__hide_and_show(client, tea) -> None:
    assert client.put("/subjects/ann/consents/gmail", json={"granted": False})[1]["granted"] is False
    assert found(client) == []
    assert client.get(f"/memories/{tea['id']}")[1]["hidden"] is True
    status, listed = client.get("/subjects/ann/consents")
    assert (status, [(one["source"], one["granted"]) for one in listed["data"]]) == (200, [("gmail", False)])
    client.put("/subjects/ann/consents/gmail", json={"granted": True})
    assert found(client) == ["Prefers green tea"]
    assert client.get("/memories?subject_id=ann")[1]["data"][0]["hidden"] is False
    line = client.post("/subjects/ann/boundaries", json={"kind": "source", "source": "gmail"})[1]
    assert client.get("/memories?subject_id=ann")[1]["data"][0]["hidden"] is True
    client.delete(f"/subjects/ann/boundaries/{line['id']}")
    assert client.put("/subjects/ann/consents/gmail", json={"granted": "no"})[0] == 422
    assert client.put(f"/subjects/ann/consents/{'x' * 129}", json={"granted": True})[0] == 422
    assert client.get("/subjects/nobody/consents") == (404, "subject_not_found")
    assert client.put("/subjects/newcomer/consents/gmail", json={"granted": False})[0] == 200


def test_boundaries__drawn_and_lifted__hide_and_show(client, tea) -> None:
    status, line = client.post("/subjects/ann/boundaries", json={"kind": "topic", "statement": "don't mention tea"})
    assert (status, line["statement"], line["id"][:4]) == (201, "tea", "bnd_")
    assert client.post("/subjects/ann/boundaries", json={"kind": "topic", "statement": "TEA"})[1] == line
    assert found(client) == []
    assert client.get(f"/memories/{tea['id']}")[1]["hidden"] is True
    assert line.pop("hides") == 1
    assert client.get("/subjects/ann/boundaries")[1]["data"] == [line]
    path = f"/subjects/ann/boundaries/{line['id']}"
    lifted = client.delete(path)
    assert (lifted[0], lifted[1]["lifted_at"] is not None) == (200, True)
    assert client.delete(path) == lifted
    assert found(client) == ["Prefers green tea"]
    assert client.get("/subjects/ann/boundaries")[1]["data"] == []
    assert client.get("/subjects/ann/boundaries?lifted=true")[1]["data"] == [lifted[1]]
    client.post("/subjects/ann/boundaries", json={"kind": "source", "source": "gmail"})
    assert found(client) == []


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "mood", "statement": "x"}, {"kind": "topic"}, {"kind": "source"},
        {"kind": "topic", "statement": "the"},
        {"kind": "topic", "statement": "x" * 513}, {"kind": "topic", "statement": "x", "colour": 1},
    ],
    ids=["kind", "no statement", "no source", "stop word", "too long", "unknown field"],
)  # fmt: skip
def test_boundary__bad_body__is_422_and_nothing_is_drawn(client, acme, body) -> None:
    assert client.post("/subjects/ann/boundaries", json=body)[0] == 422
    with scope(acme):
        assert Boundary.objects.count() == SubjectRow.objects.count() == 0


def everything(client, memory_id):
    """Every route that changes a memory or its subject's lines, with what it answers."""
    path = f"/memories/{memory_id}"
    return [
        client.patch(path, json={"text": "Hates tea"}), client.get(f"{path}/history"), client.delete(path),
        *(client.post(f"{path}/{verb}") for verb in ("restore", "silence", "unsilence", "pin", "unpin")),
    ]  # fmt: skip


def lines(client):
    return [
        client.put("/subjects/ann/consents/gmail", json={"granted": False}),
        client.post("/subjects/ann/boundaries", json={"kind": "topic", "statement": "tea"}),
        client.delete("/subjects/ann/boundaries/bnd_" + "0" * 26),
    ]


@pytest.mark.parametrize(
    ("narrowed", "code"),
    [
        ({"subject_ids": ("bob",)}, "subject_not_allowed"),
        ({"memory_scopes": ("chat",)}, "memory_scope_not_allowed"),
        ({"persona_ids": ("vex",)}, "persona_not_allowed"),
    ],
    ids=["subjects", "memory scopes", "personas"],
)
def test_narrowed_key__anothers_memory__is_403_everywhere_and_untouched(client, acme, narrowed, code) -> None:
    _, memory = client.post("/memories", json={**TEA, "persona_id": "sage"})
    narrow = Client(caller(acme, **narrowed))
    assert set(everything(narrow, memory["id"])) == {(403, code)}
    if code != "persona_not_allowed":
        assert set(lines(narrow)[:2]) == {(403, code)}
    assert client.get(f"/memories/{memory['id']}") == (200, {**memory, "sources": [memory["provenance"]]})
    with scope(acme):
        assert Boundary.objects.count() == Consent.objects.count() == 0


def test_other_organization__memory_and_lines__are_not_there(client, globex, tea) -> None:
    other = Client(caller(globex))
    assert set(everything(other, tea["id"])) == {(404, "memory_not_found")}
    _, line = client.post("/subjects/ann/boundaries", json={"kind": "topic", "statement": "coffee"})
    assert other.delete(f"/subjects/ann/boundaries/{line['id']}") == (404, "subject_not_found")
    other.put("/subjects/ann/consents/gmail", json={"granted": False})
    assert other.delete(f"/subjects/ann/boundaries/{line['id']}") == (404, "boundary_not_found")
    assert found(client) == ["Prefers green tea"]


def test_tidy_reports__after_a_night__are_listed(client, acme, tea) -> None:
    assert client.get("/memories/tidy-reports")[1]["data"] == []
    client.delete(f"/memories/{tea['id']}")
    with scope(acme):
        tidying.run(now=clock.now() + timedelta(days=31))
    status, page = client.get("/memories/tidy-reports")
    assert (status, [one["counts"] for one in page["data"]]) == (200, [{"purged": 1, "expired": 0, "merged": 0}])
    assert client.get(f"/memories/{tea['id']}")[0] == 404


def test_passage_of_a_document__is_not_listed_and_not_changed_by_itself(client, acme) -> None:
    with scope(acme):
        new = NewMemory("The office closes at six.", Provenance("org_kb", "doc_1"), type="doc", scope="org")
        passage = services.create(ORG_KNOWLEDGE, new, actor=ALICE, limit_per_subject=None).public_id
    for answer in everything(client, passage)[2:]:
        assert answer == (403, "memory_of_document")
    assert client.get("/memories")[1]["data"] == []
    assert client.get(f"/memories/{passage}")[1]["status"] == "active"
    assert client.get("/memories?subject_id=@organization")[1]["data"] == []
