"""Every operation of the API, asked by every role, by a stranger and by a key: let in exactly where the table says so,
and where it does not, nothing happens.

The list of operations is the API's own, so an operation that is added is asked as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from django.db import connections

from gateway.core import ids
from gateway.core.endpoint import Endpoint, Scope, declared
from gateway.governance.access.types import ACTIONS
from gateway.surfaces.v1.api import api
from tenants import selectors
from tenants.people import roles
from tenants.people.roles import Role
from tenants.types import OrgRef
from tests.factories.people import People
from tests.harness import Gateway

# What an operation asks for by itself, because it depends on who is meant; here it is always somebody else.
ASKS_LATER = {"remove_member": Scope.MEMBERS_WRITE}
NOT_LET_IN = {"scope_missing", "user_token_required", "not_a_member", "organization_required", "key_unknown"}
# Rows that a refusal leaves on purpose: the trail. And what workers and scheduler write meanwhile, of earlier calls.
TRAIL = {"audit_entry", "request_record", "billing_alert"}
OTHERS_EVENTS = "'usage.threshold_reached', 'operation.finished', 'ingestion.error'"


@dataclass(frozen=True)
class Operation:
    name: str
    method: str
    path: str
    endpoint: Endpoint

    def scope(self) -> Scope | None:
        return ASKS_LATER.get(self.name, self.endpoint.scope)

    def send(self, client: httpx.Client) -> httpx.Response:
        """With a body that no operation takes and ids of nothing: whoever is let in changes nothing either."""
        body: dict[str, Any] = {"json": ["not", "an", "object"]} if self.method in {"POST", "PUT", "PATCH"} else {}
        with client.stream(self.method, self.path, **body) as answer:
            if not answer.headers["content-type"].startswith("text/event-stream"):  # a live one has no end
                answer.read()
            return answer


def _operations() -> Iterator[Operation]:
    for router in api._get_bound_routers():
        for route, view in router.path_operations.items():
            for operation in view.operations:
                endpoint = declared(operation.view_func)
                assert endpoint is not None
                path = re.sub(r"\{([^}]*)\}", lambda match: _nobody(match[1].partition(":")[2] or match[1]), route)
                for method in operation.methods:
                    yield Operation(operation.view_func.__name__, method, f"/v1{path}", endpoint)


def _nobody(parameter: str) -> str:
    prefixes = {
        "user_id": "usr", "key_id": "key", "invitation_id": "inv", "proposal_id": "prop", "memory_id": "mem",
        "request_id": "req", "operation_id": "op", "provider_id": "prv",
    }  # fmt: skip
    return ids.public(prefixes[parameter], ids.uuid7()) if parameter in prefixes else f"no-such-{parameter}"


OPERATIONS = [operation for operation in _operations() if not operation.endpoint.public]


def fingerprint(*refs: OrgRef) -> dict[str, int]:
    """How many rows there are in each table of these organizations and of people, and the directory's version."""
    found: dict[str, int] = {}
    with connections["owner"].cursor() as cursor:
        for schema in ["public", *(ref.schema for ref in refs)]:
            cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", [schema])
            for (table,) in cursor.fetchall():
                watched = table.startswith("tenants_") if schema == "public" else table not in TRAIL
                if watched:
                    others = f" WHERE name NOT IN ({OTHERS_EVENTS})" if table == "event" else ""
                    cursor.execute(f'SELECT count(*) FROM "{schema}"."{table}"{others}')
                    found[f"{schema}.{table}"] = cursor.fetchone()[0]
    return {**found, "version": selectors.directory_version()}


def code(answer: httpx.Response) -> str | None:
    if answer.status_code < 400:
        return None
    said = answer.json()
    return said.get("error", said)["code"]


def test_operations__are_all_there() -> None:
    assert len(OPERATIONS) > 60
    assert {operation.scope() for operation in OPERATIONS if operation.scope()} >= roles.SCOPES[Role.VIEWER]


@pytest.mark.parametrize("role", list(Role))
def test_operation__asked_by_a_role__is_let_in_exactly_as_the_table_says(
    role: Role, gateway: Gateway, people: People
) -> None:
    someone = people.member(role)
    before = fingerprint(people.acme, people.globex)
    wrong = []
    with people.client(someone, people.acme) as client:
        for operation in OPERATIONS:
            answer = operation.send(client)
            scope = operation.scope()
            expected = operation.endpoint.account or scope is None or scope in roles.SCOPES[role]
            refused = code(answer) in NOT_LET_IN
            if refused is expected or answer.status_code in {401, 429, 500}:
                wrong.append((operation.method, operation.path, answer.status_code, code(answer)))
    assert wrong == []
    assert fingerprint(people.acme, people.globex) == before


def test_operation__asked_by_a_stranger_or_for_no_organization__is_closed(gateway: Gateway, people: People) -> None:
    stranger = people.member("owner", of=gateway.globex)
    before = fingerprint(people.acme, people.globex)
    for client, expected in (
        (people.client(stranger, people.acme), "not_a_member"),
        (people.client(stranger), "organization_required"),
    ):
        codes = {operation: code(operation.send(client)) for operation in OPERATIONS if not operation.endpoint.account}
        assert set(codes.values()) == {expected}, codes
    assert fingerprint(people.acme, people.globex) == before


def test_operation__asked_by_a_key__is_let_in_unless_it_is_for_people(gateway: Gateway, people: People) -> None:
    before = fingerprint(people.acme, people.globex)
    wrong = []
    with gateway.acme.client() as client:
        for operation in OPERATIONS:
            answer = operation.send(client)
            personal = operation.endpoint.account or operation.scope() in roles.PERSON_ONLY
            if (code(answer) == "user_token_required") is not personal or code(answer) == "scope_missing":
                wrong.append((operation.method, operation.path, code(answer)))
    assert wrong == []
    assert fingerprint(people.acme, people.globex) == before


def test_operation__asked_by_nobody__is_401(gateway: Gateway, people: People) -> None:
    before = fingerprint(people.acme, people.globex)
    with httpx.Client(base_url=gateway.base_url) as client:
        codes = {operation.path: code(operation.send(client)) for operation in OPERATIONS}
    assert set(codes.values()) == {"key_missing"}, codes
    assert fingerprint(people.acme, people.globex) == before


@pytest.mark.parametrize("role", list(Role))
def test_permissions__of_a_role__mirror_the_table(role: Role, people: People) -> None:
    with people.client(people.member(role), people.acme) as client:
        shown = client.get("/v1/me/permissions").json()
    assert shown["role"] == role
    assert shown["scopes"] == [scope.value for scope in Scope if scope in roles.SCOPES[role]]
    assert shown["actions"] == {action: scope in roles.SCOPES[role] for action, scope in ACTIONS.items()}
    assert set(shown["why"]) == {action for action, allowed in shown["actions"].items() if not allowed}
    assert all("Ask an" in why for why in shown["why"].values())


def test_permissions__of_a_key__are_its_scopes_without_what_is_for_people(gateway: Gateway) -> None:
    with gateway.acme.client() as client:
        full = client.get("/v1/me/permissions").json()
        made = client.post("/v1/keys", json={"name": "narrow", "scopes": ["chat"]}).json()
    with gateway.acme.client(made["secret"]) as client:
        narrow = client.get("/v1/me/permissions").json()
    assert full["role"] is None
    assert set(full["scopes"]) == set(Scope) - roles.PERSON_ONLY
    assert full["actions"]["members.invite"] is False
    assert narrow["scopes"] == ["chat"]
    assert {action for action, allowed in narrow["actions"].items() if allowed} == {"chat.run"}
