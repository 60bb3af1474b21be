"""``GET /v1/requests`` with a search, over the whole product; refusals that can be looked up; facets."""

from __future__ import annotations

import httpx

from tests.factories.people import People
from tests.harness import Gateway, Org, eventually


def test_search__by_each_kind_of_field__finds_what_was_said_and_pages(
    gateway: Gateway, org: Org, client: httpx.Client, subject: str, say, listed
) -> None:
    answers = [say("Hello") for _ in range(3)]
    failed = say("Hello", model="openai/fake:status", metadata={"status": "500"})
    ids = [one.json()["request_id"] for one in answers]
    found = listed(f"subject:{subject} status:200 model:ikiro/* persona:brand-default latency:>=0 cost:<1", 3)
    assert sorted(found) == sorted(ids)
    assert listed(f"subject:{subject} -status:200", 1) == [failed.headers["x-request-id"]] or failed.status_code == 200
    assert listed(ids[0], 1) == [ids[0]]
    assert listed(f"{ids[0][:14]} subject:{subject} since:1h {ids[0]}", 1) == [ids[0]]
    first = client.get("/v1/requests", params={"q": f"subject:{subject} status:200", "limit": 2}).json()
    rest = client.get(
        "/v1/requests", params={"q": f"subject:{subject} status:200", "limit": 2, "cursor": first["next_cursor"]}
    ).json()
    assert [row["request_id"] for row in first["data"] + rest["data"]] == sorted(ids, reverse=True)
    assert rest["next_cursor"] is None
    for nothing in ("until:2020-01-01", "cached:true", "kind:refusal", "cost:>100", "surface:openai", "latency:>1h"):
        assert client.get("/v1/requests", params={"q": f"subject:{subject} {nothing}"}).json()["data"] == [], nothing
    with gateway.globex.client() as other:
        assert other.get("/v1/requests", params={"q": f"subject:{subject}"}).json()["data"] == []
        assert other.get("/v1/requests", params={"q": ids[0]}).json()["data"] == []


def test_search__that_cannot_be_read__is_422_with_the_place(client: httpx.Client) -> None:
    answer = client.get("/v1/requests", params={"q": "model:x statsu:>=400"})
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["position"]) == (422, "invalid_query", 8)
    assert "status" in problem["allowed"]
    assert problem["errors"][0]["pointer"] == "#/query/q"


def test_search__by_the_person_who_asked__finds_only_theirs(
    people: People, org: Org, client: httpx.Client, subject: str, say
) -> None:
    from tenants import selectors

    someone = people.member("developer", of=org)
    theirs = people.client(someone, selectors.organization_by_slug(org.slug).ref)
    mine, other = say(by=theirs).json()["request_id"], say().json()["request_id"]

    def both() -> bool:
        rows = client.get("/v1/requests", params={"q": f"subject:{subject}"}).json()["data"]
        return {row["request_id"] for row in rows} == {mine, other}

    eventually(both, within=30)
    for params in ({"q": f"user:{someone.public_id}"}, {"user_id": someone.public_id}):
        rows = client.get("/v1/requests", params=params).json()["data"]
        assert [(row["request_id"], row["user_id"]) for row in rows] == [(mine, someone.public_id)]


def test_refusal__at_the_door_or_by_the_key__names_its_line_and_can_be_looked_up(
    gateway: Gateway, org: Org, owner: httpx.Client, client: httpx.Client, subject: str, say
) -> None:
    made = owner.post("/v1/keys", json={"name": "narrow", "scopes": ["requests:read"]}).json()
    bound = owner.post("/v1/keys", json={"name": "bound", "subject_ids": ["somebody-else"]}).json()
    with org.client(made["secret"]) as narrow, org.client(bound["secret"]) as other_subject:
        by_scope = eventually(lambda: _refused(say(by=narrow), "scope_missing"), within=10)
        by_grant = eventually(lambda: _refused(say(by=other_subject), "subject_not_allowed"), within=10)
    for problem, stage, code in ((by_scope, "scope", "scope_missing"), (by_grant, "grant", "subject_not_allowed")):
        assert (problem["decision"]["stage"], problem["decision"]["code"]) == (stage, code)
        shown = eventually(lambda named=problem["request_id"]: _ok(client.get(f"/v1/requests/{named}")), within=30)
        assert (shown["kind"], shown["state"], shown["status"], shown["outcome"]) == ("refusal", "refused", 403, code)
        assert shown["decision"]["stage"] == stage
        assert shown["charged_micros"] == 0
        with gateway.globex.client() as other:
            assert other.get(f"/v1/requests/{problem['request_id']}").status_code == 404
    found = client.get("/v1/requests", params={"q": f"kind:refusal status:403 key:{made['id']}"}).json()["data"]
    assert by_scope["request_id"] in {row["request_id"] for row in found}


def test_facets__newest_requests__count_their_values_by_organization(
    gateway: Gateway, client: httpx.Client, subject: str, say, listed
) -> None:
    say()
    listed(f"subject:{subject}", 1)
    shown = client.get("/v1/requests/facets").json()
    fields = {one["field"]: one for one in shown["fields"]}
    assert shown["looked_at"] > 0
    assert "ikiro/sandbox" in {one["value"] for one in fields["model"]["values"]}
    assert subject in {one["value"] for one in fields["subject"]["values"]}
    assert fields["latency"]["examples"] == [">2s"]
    with gateway.globex.client() as other:
        assert subject not in other.get("/v1/requests/facets").text


def _refused(answer: httpx.Response, code: str) -> dict | None:
    return answer.json() if answer.json().get("code") == code else None


def _ok(answer: httpx.Response) -> dict | None:
    return answer.json() if answer.status_code == 200 else None
