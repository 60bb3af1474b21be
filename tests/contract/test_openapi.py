"""The OpenAPI document against the running product: whatever is sent, the answer is one that the document describes."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.core.transport import Response
from schemathesis.generation.feedback import FeedbackSources
from schemathesis.pytest._test_builder import build_operation_test
from schemathesis.specs.openapi import checks

from tests.contract import prepared
from tests.contract.persons import Persons, cast
from tests.factories.organizations import committed_database
from tests.harness import ROOT, Gateway, Org, eventually

__all__ = ["committed_database"]

CHECKS = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
    checks.negative_data_rejection,
    checks.unsupported_method,
]
CONFIG = {
    "generation": {
        "max-examples": 10, "deterministic": True, "database": "none", "no-shrink": True,
        "with-security-parameters": False,
    },
    "phases": {"stateful": {"enabled": False}, "coverage": {"enabled": True}},
    "suppress-health-check": ["all"],
    "warnings": False,
}  # fmt: skip
DOCUMENT = json.loads((ROOT / "docs" / "openapi" / "v1.json").read_text())
# A stream that goes on for a quarter of an hour is no answer to wait for; its own tests read it.
ENDLESS = {"requests_tail"}
OPERATIONS = {
    operation["operationId"]: (method, path, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}


@dataclass
class Target:
    """An organization of its own, because what is sent revokes keys, archives personas and overrides policies; and the
    ids of what it has, so that requests also get past the look-up."""

    org: Org
    own_key: str
    ids: dict[str, str]
    session: requests.Session
    persons: Persons

    def session_for(self, name: str) -> requests.Session:
        """Signed as the operation asks: by the key, by a person, or by a person's session."""
        headers = self.persons.headers(OPERATIONS[name][2])
        if headers is None:
            return self.session
        signed = requests.Session()
        signed.headers.update(headers)
        return signed

    def aim(self, case: Any) -> None:
        """Put a real id into every other request, chosen by what was generated."""
        for name, value in (case.path_parameters or {}).items():
            if name in self.ids and zlib.crc32(repr(value).encode()) % 2:
                case.path_parameters[name] = self.ids[name]

    def spares(self, case: Any) -> bool:
        """The key that is signing, the persona that every turn needs, and the subject of every example stay."""
        wanted = list((case.path_parameters or {}).values())
        if case.method == "DELETE" and wanted == [self.ids["subject_id"]]:
            return True
        return case.method in {"DELETE", "POST"} and (self.own_key in wanted or wanted == ["brand-default"])


@pytest.fixture(scope="module")
def target(gateway: Gateway, committed_database: None) -> Target:
    org = gateway.org("contract")
    gateway.manage("orgs", "limits", "contract", "rate=100000", "calls=1000000")
    with org.client() as client:
        eventually(lambda: client.get("/v1/limits").json()["rates"][0]["limit"] == 100_000)
        turn = OPERATIONS["chat"][2]["requestBody"]["content"]["application/json"]["example"]
        words = [{"role": "user", "content": "Please remember that my boat is called Ondine."}]
        chat = client.post("/v1/chat", json={**turn, "messages": words}).json()
        item = {"subject_id": "usr_123", "text": "Likes tea.", "provenance": {"source": "chat"}}
        memory = client.post("/v1/memories", json=item).json()
        started = client.post("/v1/memories", json={"items": [item]}, headers={"Prefer": "respond-async"}).json()
        key = client.post("/v1/keys", json={"name": "to be rotated"}).json()
        scripted = {"kind": "openai", "base_url": gateway.env["IKIRO_OPENAI_BASE_URL"], "api_key": "sk-contract"}
        provider = client.post("/v1/providers", json={"name": "contract", **scripted}).json()
        client.put("/v1/models/aliases/contract", json={"model": "ikiro/sandbox"})
        ids = {
            "memory_id": memory["id"], "subject_id": "usr_123", "persona_id": "brand-default", "key_id": key["id"],
            "proposal_id": chat["proposedWrites"][0]["proposal_id"], "request_id": chat["request_id"],
            "operation_id": started["operation"]["id"], "model_id": "ikiro/sandbox",
            "provider_id": provider["id"], "alias": "contract", "flag": "enable_webhooks",
            "model": "openai/gpt-4o-mini",
        }  # fmt: skip
        persons = cast(org.base_url)
        session = requests.Session()
        session.headers["authorization"] = f"Bearer {org.api_key}"
        return Target(org, client.get("/v1/me").json()["key"]["id"], {**ids, **persons.ids}, session, persons)


@pytest.fixture(scope="module")
def document(target: Target) -> Any:
    return schemathesis.openapi.from_url(
        f"{target.org.base_url}/v1/openapi.json", config=SchemathesisConfig.from_dict(CONFIG)
    )


@pytest.mark.parametrize("name", [name for name, one in OPERATIONS.items() if "requestBody" in one[2]])
def test_example__sent_as_it_is__is_accepted(name: str, target: Target) -> None:
    method, path, operation = OPERATIONS[name]
    example = operation["requestBody"]["content"]["application/json"]["example"]
    with target.org.client() as client:
        ids = dict(target.ids, persona_id="study-coach")
        if "proposal" in path:
            turn = OPERATIONS["chat"][2]["requestBody"]["content"]["application/json"]["example"]
            words = [{"role": "user", "content": f"Please remember that {name} is an example."}]
            (proposed,) = client.post("/v1/chat", json={**turn, "messages": words}).json()["proposedWrites"]
            ids["proposal_id"] = proposed["proposal_id"]
        turn = OPERATIONS["chat"][2]["requestBody"]["content"]["application/json"]["example"]
        ids |= prepared.ids_for(name, client, target.persons, turn)
        about = target.persons.for_example(name, example)
        headers, body = about or (target.persons.headers(operation), prepared.body_for(name, example))
        headers = {**_required(operation), **(headers or {})}
        answer = client.request(method, path.format(**ids), json=body, headers=headers)
    assert answer.status_code in {200, 201, 202}, answer.text


def _required(operation: dict[str, Any]) -> dict[str, str]:
    """Headers without which the operation is refused, with the values that the document gives them."""
    found = [one for one in operation.get("parameters", ()) if one["in"] == "header" and one.get("required")]
    return {one["name"]: one["schema"]["examples"][0] for one in found}


def check_failure(ctx: Any, response: Response, case: Any) -> None:
    """Every refusal says in its dialect what it is, by code and request id."""
    if response.status_code < 400:
        return
    said = response.json()
    default = DOCUMENT["paths"][case.operation.path][case.operation.method]["responses"]["default"]
    if default["$ref"].endswith("/OpenAIError"):
        assert set(said) == {"error"}, said
        assert set(said["error"]) - {"decision"} == {"message", "type", "param", "code", "request_id"}
        said = said["error"]
    elif default["$ref"].endswith("/AnthropicError"):
        assert set(said) == {"type", "error", "request_id"}, said
        assert set(said["error"]) - {"decision"} == {"type", "message", "code"}
        said = {**said, **said["error"]}
    else:
        assert response.headers["content-type"] == ["application/problem+json"]
        assert said["type"] == f"urn:ikiro:error:{said['code']}"
        assert said["status"] == response.status_code
    assert response.headers["x-request-id"] == [said["request_id"]]
    assert said["code"] != "internal_error"


@pytest.mark.parametrize("name", [name for name in OPERATIONS if name not in ENDLESS])
def test_operation__whatever_is_sent__answers_as_documented(name: str, document: Any, target: Target) -> None:
    session = target.session_for(name)

    def send(case: Any) -> None:
        target.aim(case)
        if not target.spares(case):
            response = case.call(session=session, timeout=20)
            case.validate_response(response, checks=CHECKS, additional_checks=[check_failure])

    build_operation_test(
        config=document.config,
        operation=document.find_operation_by_id(name),
        test_func=send,
        given_kwargs={},
        feedback=FeedbackSources(),
    )()


def test_document__served__is_the_committed_one(target: Target) -> None:
    assert httpx.get(f"{target.org.base_url}/v1/openapi.json").json() == DOCUMENT


@pytest.mark.parametrize("name", OPERATIONS)
def test_document__each_operation__says_what_it_does_and_how_it_fails(name: str) -> None:
    operation = OPERATIONS[name][2]
    assert operation["summary"] != name.replace("_", " ").title()
    assert not operation["summary"].istitle()
    assert operation["tags"][0] in {tag["name"] for tag in DOCUMENT["tags"]}
    assert {"401", "403", "429", "503", "default"} <= set(operation["responses"])
    if "requestBody" in operation:
        assert "example" in operation["requestBody"]["content"]["application/json"]
        assert {"400", "413"} <= set(operation["responses"])


def test_document__its_components__have_one_meaning_each() -> None:
    """Two classes of one name would overwrite each other without a word."""
    from ninja import Schema

    named: dict[str, set[type]] = {}
    todo = [Schema]
    while todo:
        found = todo.pop()
        todo += found.__subclasses__()
        named.setdefault(found.__name__, set()).add(found)
    twice = {name for name in DOCUMENT["components"]["schemas"] if len(named.get(name, ())) > 1}
    assert twice == set()
