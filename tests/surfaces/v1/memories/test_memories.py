"""`/v1/memories` as the wire contract has it, and what a narrowed key may do."""

from __future__ import annotations

import pytest

from gateway.core import ids
from gateway.knowledge.memory.models import MemoryRow
from gateway.knowledge.subjects.models import SubjectRow
from gateway.platform.audit.models import AuditRow
from gateway.platform.operations import dispatch, execution
from tenants.context import scope
from tests.surfaces.v1.memories.support import Client, caller

TEA = {
    "subject_id": "ann",
    "text": "Prefers green tea",
    "provenance": {"source": "gmail", "ref": "m1", "snippet": "tea"},
}


@pytest.fixture
def client(acme):
    return Client(caller(acme))


def rows(ref) -> tuple[int, int]:
    with scope(ref):
        return SubjectRow.objects.count(), MemoryRow.objects.count()


def test_create__one__is_201_with_the_memory(client, acme) -> None:
    status, body = client.post("/memories", json={**TEA, "occurred_at": "2025-01-01T10:00:00+02:00", "value": {"a": 1}})
    assert status == 201
    assert body["id"].startswith("mem_")
    assert (body["subject_id"], body["text"], body["type"], body["scope"]) == (
        "ann",
        "Prefers green tea",
        "fact",
        "private",
    )
    assert (body["memory_scope"], body["status"], body["deduplicated"], body["value"]) == (
        "gmail",
        "active",
        False,
        {"a": 1},
    )
    assert body["provenance"] == {"source": "gmail", "ref": "m1", "snippet": "tea", "span": None}
    assert body["occurred_at"].startswith("2025-01-01T08:00:00")
    assert client.get(f"/memories/{body['id']}") == (200, {**body, "sources": [body["provenance"]]})
    assert client.call.reads == [{"action": "memory.read", "target": body["id"], "subject_id": "ann"}]
    with scope(acme):
        assert AuditRow.objects.filter(action="memory.created", actor_id=client.who.actor.id).count() == 1


def test_create__again__is_the_same_memory(client) -> None:
    _, first = client.post("/memories", json=TEA)
    status, second = client.post("/memories", json=TEA)
    assert (status, second["id"], second["deduplicated"]) == (201, first["id"], True)


@pytest.mark.parametrize(
    ("change", "pointer", "hint"),
    [
        ({"text": "x" * 65_536}, "#/text", "16000"),
        ({"text": ""}, "#/text", "1"),
        ({"text": None}, "#/text", "string"),
        ({"text": "a\0b"}, "#/text", "NUL"),
        ({"text": "   "}, "#/text", "1 to 16000"),
        ({"type": "poem"}, "#/type", "future_event"),
        ({"subject_id": "x" * 129}, "#/subject_id", "128"),
        ({"subject_id": "a\nb"}, "#/subject_id", "printable"),
        ({"subject_id": 7}, "#/subject_id", "string"),
        ({"confidence": 2}, "#/confidence", "1"),
        ({"provenance": {}}, "#/provenance/source", "required"),
        ({"provenance": {"source": "x", "ref": "r" * 513}}, "#/provenance/ref", "512"),
        ({"occurred_at": "2025-01-01T10:00:00"}, "#/occurred_at", "time zone"),
        ({"occurred_at": "soon"}, "#/occurred_at", "soon"),
        ({"valid_from": "2025-02-01T00:00:00Z", "valid_to": "2025-01-01T00:00:00Z"}, "#/valid_to", "later"),
        ({"colour": "red"}, "#/colour", "not permitted"),
    ],
)
def test_create__bad_field__is_422_naming_it_and_nothing_is_stored(client, acme, change, pointer, hint) -> None:
    status, _ = client.post("/memories", json={**TEA, **change})
    assert status == 422
    assert [problem.pointer for problem in client.error.problems] == [pointer]
    assert hint in client.error.problems[0].message
    assert rows(acme) == (0, 0)


def test_create__half_a_surrogate_pair__is_422(client, acme) -> None:
    raw = '{"subject_id": "ann", "text": "a\\ud800b", "provenance": {"source": "x"}}'
    assert client.post("/memories", data=raw, content_type="application/json")[0] == 422
    assert rows(acme) == (0, 0)


def test_create__plan_used_up__is_402_and_the_subject_is_not_made(acme) -> None:
    client = Client(caller(acme, plan="free"))
    items = [{**TEA, "text": f"fact {n}"} for n in range(100)]
    client.post("/memories", json={"items": items})
    assert client.post("/memories", json={**TEA, "text": "one more"}) == (402, "plan_limit")
    assert client.error.extra["maximum"] == 100
    assert rows(acme) == (1, 100)


def test_batch__mixed__answers_item_by_item(client, acme) -> None:
    items = [
        TEA,
        {**TEA, "text": ""},
        {**TEA, "subject_id": "bob"},
        "nonsense",
        TEA,
        {**TEA, "valid_to": "2020-01-01T00:00:00Z", "occurred_at": "2021-01-01T00:00:00Z"},
    ]
    status, body = client.post("/memories", json={"items": [item for item in items if isinstance(item, dict)]})
    assert status == 201
    data = body["data"]
    assert [entry["index"] for entry in data] == [0, 1, 2, 3, 4]
    assert data[1]["error"]["errors"][0]["pointer"] == "#/items/1/text"
    assert (set(data[0]), set(data[1])) == ({"index", "id", "deduplicated"}, {"index", "error"})
    assert data[1]["error"]["status"] == 422
    assert data[4]["error"]["errors"][0]["pointer"] == "#/items/4/valid_to"
    assert data[0]["id"] == data[3]["id"]
    assert (data[0]["deduplicated"], data[3]["deduplicated"]) == (False, True)
    assert rows(acme) == (2, 2)
    status, _ = client.post("/memories", json={"items": items})
    assert (status, client.error.problems[0].pointer) == (422, "#/items/3")


@pytest.mark.parametrize("items", [[], [TEA] * 1_001, None, {"a": 1}])
def test_batch__of_no_size__is_422(client, items) -> None:
    status, _ = client.post("/memories", json={"items": items})
    assert status == 422
    assert client.error.problems[0].pointer.startswith("#/items")


def test_batch__respond_async__is_202_and_a_worker_stores_it(client, acme, monkeypatch) -> None:
    sent = []
    monkeypatch.setattr(dispatch, "_send", lambda ref, operation_id: sent.append(operation_id))
    items = [{**TEA, "text": f"fact {n}"} for n in range(150)]
    status, body = client.post("/memories", json={"items": items}, headers={"Prefer": "respond-async"})
    assert status == 202
    operation = body["operation"]
    assert (operation["kind"], operation["state"], operation["progress"]) == (
        "memory.import",
        "queued",
        {"done": 0, "total": 150},
    )
    assert rows(acme) == (1, 0)
    assert sent == [ids.parse("op", operation["id"])]
    with scope(acme):
        execution.run(sent[0])
    assert rows(acme) == (1, 150)
    status, _ = client.post("/memories", json={"items": [TEA, {"text": "x"}]}, headers={"Prefer": "respond-async"})
    assert status == 422
    assert {problem.pointer for problem in client.error.problems} == {"#/items/1/subject_id", "#/items/1/provenance"}
    assert len(sent) == 1


def test_recall__found__has_the_shape_of_the_contract(client) -> None:
    _, memory = client.post("/memories", json=TEA)
    body = {"subject_id": "ann", "query": "what tea?", "explain": True}
    status, found = client.post("/memories/recall", json=body)
    assert status == 200
    (one,) = found["data"]
    assert set(one) == {
        "id", "text", "type", "score", "confidence", "occurred_at", "provenance", "memory_scope", "scores",
    }  # fmt: skip
    source = {"source": "gmail", "ref": "m1", "snippet": "tea", "span": None}
    assert (one["id"], one["provenance"]) == (memory["id"], source)
    assert (found["cache_hit"], found["nothing_found"]) == (False, False)
    (read,) = client.call.reads
    assert (read["action"], read["subject_id"], read["memory_ids"]) == ("memory.recalled", "ann", [memory["id"]])
    assert "tea" not in str(read["query_sha256"])
    assert client.post("/memories/recall", json=body)[1]["cache_hit"] is True


def test_recall__unknown_subject__is_empty_and_makes_nobody(client, acme) -> None:
    assert client.post("/memories/recall", json={"subject_id": "who", "query": "x"})[1]["data"] == []
    assert rows(acme) == (0, 0)


@pytest.mark.parametrize(
    ("change", "pointer", "hint"),
    [
        ({"k": 101}, "k", "100"),
        ({"k": 0}, "k", "1"),
        ({"types": ["poem"]}, "types", "fact"),
        ({"query": ""}, "query", "1"),
        ({"query": "x" * 4_001}, "query", "4000"),
    ],
)
def test_recall__bad_field__is_422_naming_field_and_limit(client, change, pointer, hint) -> None:
    status, body = client.post("/memories/recall", json={"subject_id": "ann", "query": "x", **change})
    assert status == 422
    assert pointer in str(body)
    assert hint in str(body)


def test_recall__future_as_of__is_422(client) -> None:
    client.post("/memories", json=TEA)
    body = {"subject_id": "ann", "query": "x", "as_of": "2999-01-01T00:00:00Z"}
    assert client.post("/memories/recall", json=body)[0] == 422
    assert client.error.problems[0].pointer == "#/as_of"


def test_recall__organization_locks_its_scopes__binds_the_recall_too(client) -> None:
    client.post("/memories", json=TEA)
    client.put("/policies/overlays/organization", json={"locks": {"memory_scopes": ["chat"]}})
    assert client.post("/memories/recall", json={"subject_id": "ann", "query": "tea"})[1]["data"] == []


def test_forget__memory__is_410_afterwards_and_not_listed(client) -> None:
    _, memory = client.post("/memories", json=TEA)
    status, gone = client.delete(f"/memories/{memory['id']}")
    assert (status, gone["id"], gone["status"]) == (200, memory["id"], "forgotten")
    assert client.delete(f"/memories/{memory['id']}")[1] == gone
    assert client.get(f"/memories/{memory['id']}") == (410, "memory_forgotten")
    assert client.get("/memories?subject_id=ann")[1]["data"] == []
    assert client.post("/memories/recall", json={"subject_id": "ann", "query": "tea"})[1]["data"] == []


@pytest.mark.parametrize("memory_id", ["mem_" + "0" * 26, "mem_x", "prop_" + "0" * 26, "nonsense"])
def test_get__no_memory__is_404(client, memory_id) -> None:
    assert client.get(f"/memories/{memory_id}")[0] == 404
    assert client.delete(f"/memories/{memory_id}")[0] == 404


def test_list__filters__narrow(client) -> None:
    client.post("/memories", json=TEA)
    client.post("/memories", json={**TEA, "text": "In chat", "type": "event", "provenance": {"source": "chat"}})
    client.post("/memories", json={**TEA, "subject_id": "bob"})
    texts = lambda query: [one["text"] for one in client.get(f"/memories{query}")[1]["data"]]  # noqa: E731
    assert texts("") == ["Prefers green tea", "In chat", "Prefers green tea"]
    assert texts("?subject_id=ann&memory_scope=chat") == ["In chat"]
    assert texts("?subject_id=ann&type=event") == ["In chat"]
    assert texts("?subject_id=nobody") == []
    assert client.get("/memories?limit=0")[0] == 422
    assert client.get("/memories?cursor=!!")[0] == 422


def test_key_of_some_subjects__others__are_403_and_untouched(client, acme) -> None:
    _, memory = client.post("/memories", json=TEA)
    narrow = Client(caller(acme, subject_ids=("bob",)))
    assert narrow.post("/memories", json=TEA) == (403, "subject_not_allowed")
    assert narrow.post("/memories/recall", json={"subject_id": "ann", "query": "tea"}) == (403, "subject_not_allowed")
    assert narrow.get("/memories?subject_id=ann") == (403, "subject_not_allowed")
    assert narrow.get("/memories")[0] == 422
    assert narrow.get(f"/memories/{memory['id']}") == (403, "subject_not_allowed")
    assert narrow.delete(f"/memories/{memory['id']}") == (403, "subject_not_allowed")
    assert narrow.get("/subjects")[1]["data"] == []
    assert narrow.get("/subjects/ann") == (403, "subject_not_allowed")
    _, batch = narrow.post("/memories", json={"items": [TEA, {**TEA, "subject_id": "bob"}]})
    assert batch["data"][0]["error"]["code"] == "subject_not_allowed"
    assert batch["data"][1]["id"]
    assert client.get(f"/memories/{memory['id']}")[0] == 200


def test_key_of_some_memory_scopes__others__are_403_or_left_out(client, acme) -> None:
    _, memory = client.post("/memories", json=TEA)
    client.post("/memories", json={**TEA, "text": "Tea in chat", "provenance": {"source": "chat"}})
    narrow = Client(caller(acme, memory_scopes=("chat",)))
    assert narrow.post("/memories", json=TEA) == (403, "memory_scope_not_allowed")
    ask = {"subject_id": "ann", "query": "tea"}
    assert narrow.post("/memories/recall", json={**ask, "memory_scopes": ["gmail"]}) == (
        403,
        "memory_scope_not_allowed",
    )
    assert [one["text"] for one in narrow.post("/memories/recall", json=ask)[1]["data"]] == ["Tea in chat"]
    assert [one["text"] for one in narrow.get("/memories")[1]["data"]] == ["Tea in chat"]
    assert narrow.get("/memories?memory_scope=gmail") == (403, "memory_scope_not_allowed")
    assert narrow.get(f"/memories/{memory['id']}") == (403, "memory_scope_not_allowed")


def test_key_of_some_personas__private_memories_of_others__are_hidden(client, acme) -> None:
    _, secret = client.post("/memories", json={**TEA, "persona_id": "sage"})
    narrow = Client(caller(acme, persona_ids=("vex",)))
    ask = {"subject_id": "ann", "query": "tea"}
    assert narrow.post("/memories/recall", json=ask)[1]["data"] == []
    assert narrow.post("/memories/recall", json={**ask, "persona_id": "sage"}) == (403, "persona_not_allowed")
    assert narrow.get("/memories")[1]["data"] == []
    assert narrow.get(f"/memories/{secret['id']}") == (403, "persona_not_allowed")
    assert narrow.post("/memories", json={**TEA, "persona_id": "sage"}) == (403, "persona_not_allowed")


def test_memories__of_another_organization__are_not_there(client, globex) -> None:
    _, memory = client.post("/memories", json=TEA)
    other = Client(caller(globex))
    assert other.get(f"/memories/{memory['id']}")[0] == 404
    assert other.delete(f"/memories/{memory['id']}")[0] == 404
    assert other.get("/memories?subject_id=ann")[1]["data"] == []
    assert other.post("/memories/recall", json={"subject_id": "ann", "query": "tea"})[1]["data"] == []
    assert other.get("/subjects/ann")[0] == 404
    assert client.get("/subjects/ann")[1]["id"] == "ann"
