"""The leak table: every way in which one organization's rows, cache or connection could reach another, tried with two
at once."""

from __future__ import annotations

import asyncio
import json
import random
from uuid import uuid4

import pytest
from django.db import connection

from tests.harness import Gateway, eventually


def test_http__both_organizations_at_once__each_sees_its_own(gateway: Gateway) -> None:
    subject = f"leak-{uuid4().hex[:8]}"
    with gateway.acme.client() as acme, gateway.globex.client() as globex:
        for client, secret in ((acme, "acme-only"), (globex, "globex-only")):
            item = {"subject_id": subject, "text": f"The token is {secret}", "provenance": {"source": "chat"}}
            assert client.post("/v1/memories", json=item).status_code == 201

    async def ask(org, secret: str, other: str) -> None:
        async with org.async_client() as client:
            recall = {"subject_id": subject, "query": "token"}
            turn = {
                "model": "ikiro/sandbox", "persona_id": "brand-default", "subject_id": subject,
                "messages": [{"role": "user", "content": "What is the token?"}],
            }  # fmt: skip
            for _ in range(10):
                path, body = random.choice(
                    [("/v1/memories/recall", recall), ("/v1/chat", turn), ("/v1/chat", {**turn, "stream": True})]
                )
                answer = await client.post(path, json=body)
                assert answer.status_code == 200, answer.text
                assert secret in answer.text
                assert other not in answer.text
                listed = await client.get("/v1/memories", params={"subject_id": subject})
                assert [one["text"] for one in listed.json()["data"]] == [f"The token is {secret}"]

    async def run() -> None:
        jobs = [ask(gateway.acme, "acme-only", "globex-only"), ask(gateway.globex, "globex-only", "acme-only")] * 4
        await asyncio.gather(*jobs)

    asyncio.run(run())


def test_ids__of_the_other_organization__do_not_exist_here(gateway: Gateway) -> None:
    subject = f"leak-{uuid4().hex[:8]}"
    with gateway.acme.client() as acme, gateway.globex.client() as globex:
        item = {"subject_id": subject, "text": "Mine alone", "provenance": {"source": "chat"}}
        memory = acme.post("/v1/memories", json=item).json()
        turn = {
            "model": "ikiro/sandbox", "persona_id": "brand-default", "subject_id": subject,
            "messages": [{"role": "user", "content": "Please remember that I like figs."}],
        }  # fmt: skip
        chat = acme.post("/v1/chat", json=turn).json()
        proposal = chat["proposedWrites"][0]["proposal_id"]
        for path in (
            f"/v1/memories/{memory['id']}",
            f"/v1/proposals/{proposal}",
            f"/v1/requests/{chat['request_id']}",
            f"/v1/subjects/{subject}",
        ):
            assert acme.get(path).status_code == 200, path
            assert globex.get(path).status_code == 404, path
        stolen = globex.post("/v1/chat", json={**turn, "conversation_id": chat["conversation_id"]})
        assert stolen.status_code == 404
        assert globex.delete(f"/v1/memories/{memory['id']}").status_code == 404
        assert acme.get(f"/v1/memories/{memory['id']}").status_code == 200
        for path in ("/v1/proposals", "/v1/events", "/v1/audit", "/v1/requests", "/v1/subjects"):
            listed = globex.get(path, params={"limit": 200}).text
            for mine in (memory["id"], proposal, chat["request_id"], chat["conversation_id"]):
                assert mine not in listed, path
        assert subject not in globex.get("/v1/subjects", params={"limit": 200}).text  # the refusal left none behind


def test_recall_cache__same_subject_and_question__never_crosses(gateway: Gateway) -> None:
    subject = f"leak-{uuid4().hex[:8]}"
    recall = {"subject_id": subject, "query": "colour"}
    with gateway.acme.client() as acme, gateway.globex.client() as globex:
        item = {"subject_id": subject, "text": "The colour is teal", "provenance": {"source": "chat"}}
        assert acme.post("/v1/memories", json=item).status_code == 201
        for _ in range(2):
            assert [one["text"] for one in acme.post("/v1/memories/recall", json=recall).json()["data"]] == [
                "The colour is teal"
            ]
            assert globex.post("/v1/memories/recall", json=recall).json()["data"] == []


def test_celery__task_of_one_organization__writes_there_and_nowhere_else(gateway: Gateway) -> None:
    subject = f"leak-{uuid4().hex[:8]}"
    items = [{"subject_id": subject, "text": f"Imported line {n}", "provenance": {"source": "chat"}} for n in range(20)]
    with gateway.acme.client() as acme, gateway.globex.client() as globex:
        accepted = acme.post("/v1/memories", json={"items": items}, headers={"prefer": "respond-async"})
        assert accepted.status_code == 202, accepted.text
        operation = accepted.json()["operation"]["id"]
        eventually(lambda: acme.get(f"/v1/operations/{operation}").json()["state"] == "succeeded", within=20)
        assert len(acme.get("/v1/memories", params={"subject_id": subject}).json()["data"]) == 20
        assert globex.get(f"/v1/operations/{operation}").status_code == 404
        assert subject not in json.dumps(globex.get("/v1/subjects", params={"limit": 200}).json())


def test_task__without_an_organization__refuses_to_run() -> None:
    from tenants.celery import MissingTenant, tenant_task

    ran: list[object] = []
    task = tenant_task(name="tests.never")(lambda ref: ran.append(ref))
    with pytest.raises(MissingTenant):
        task.celery_task()
    assert ran == []


def test_scope__none_entered__has_no_organization_and_sees_no_row_of_the_ledger_or_outbox(acme, globex) -> None:
    from tenants import context

    with pytest.raises(context.NoTenant):
        context.current()
    with context.public_scope(), connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        assert cursor.fetchone() == ("ikiro_app",)
        for table in ("ledger_entry", "ledger_daily", "outbox_marker"):
            cursor.execute(f"SELECT count(*) FROM public.{table}")
            assert cursor.fetchone() == (0,)


def test_scope__nested_and_failing__always_returns_to_where_it_was(acme, globex) -> None:
    from tenants import context

    def here() -> tuple[str, str]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_schema(), current_setting('app.org_id', true)")
            return cursor.fetchone()

    with context.scope(acme):
        assert here() == (acme.schema, str(acme.id))
        with pytest.raises(ZeroDivisionError), context.scope(globex):
            assert here() == (globex.schema, str(globex.id))
            raise ZeroDivisionError
        assert context.current() == acme
        assert here() == (acme.schema, str(acme.id))
        with pytest.raises(ZeroDivisionError), context.public_scope():
            assert here() == ("public", "")
            raise ZeroDivisionError
        assert context.current() == acme
        assert here() == (acme.schema, str(acme.id))
    with pytest.raises(context.NoTenant):
        context.current()


@pytest.mark.django_db(transaction=True)
def test_in_tenant__many_at_once_on_one_loop__each_runs_in_its_own_schema(django_db_setup) -> None:
    from tenants import context, selectors

    refs = [selectors.organization_by_slug(slug).ref for slug in ("unit-acme", "unit-globex")]

    def where() -> tuple[str, str]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_schema(), current_setting('app.org_id', true), pg_sleep(0.01)")
            schema, org_id, _ = cursor.fetchone()
            assert context.current().schema == schema
            return schema, org_id

    async def run() -> None:
        found = await asyncio.gather(*(context.in_tenant(refs[n % 2], where) for n in range(100)))
        assert found == [(refs[n % 2].schema, str(refs[n % 2].id)) for n in range(100)]
        with pytest.raises(context.NoTenant):
            context.current()

    asyncio.run(run())
