"""What the OpenAPI document says of operations beyond their signatures, against the code and over HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx

from gateway.core import conditional
from gateway.surfaces.v1.api import api
from gateway.surfaces.v1.document import CONDITIONAL, _operations
from tests.architecture.tree import ROOT
from tests.knowledge.personas.support import cartridge
from tests.surfaces import clients

acme, globex = clients.acme, clients.globex
DOCUMENT = json.loads((ROOT / "docs/openapi/v1.json").read_text())
OPERATIONS = {one["operationId"]: one for methods in DOCUMENT["paths"].values() for one in methods.values()}


def _called(function: Callable[..., Any], module: str) -> Iterator[Any]:
    """What a function names of its module's globals, and what those of its own module do in turn."""
    todo, seen = [function], set[int]()
    while todo:
        code = getattr(todo.pop(), "__code__", None)
        for name in code.co_names if code is not None else ():
            found = function.__globals__.get(name)
            if found is not None and id(found) not in seen:
                seen.add(id(found))
                yield found
                if getattr(found, "__module__", None) == module:
                    todo.append(found)


def test_conditional__operations__are_those_that_read_the_header() -> None:
    reading = {
        api.get_openapi_operation_id(one)
        for one in _operations(api)
        if {conditional.expected, conditional.if_match} & {
            found for found in _called(one.view_func, one.view_func.__module__) if callable(found)
        }
    }  # fmt: skip
    assert reading == CONDITIONAL
    for name, operation in OPERATIONS.items():
        documented = [one["name"] for one in operation["parameters"]].count("If-Match")
        assert documented == (1 if name in CONDITIONAL else 0), name
        assert not documented or "409" in operation["responses"]


def test_tags__of_every_operation__are_one() -> None:
    assert {name: one["tags"] for name, one in OPERATIONS.items() if len(one["tags"]) != 1} == {}


def test_refusals__of_an_archived_persona__are_documented_where_they_are_given(
    acme: httpx.Client, globex: httpx.Client
) -> None:
    path = "/v1/personas/put-away"
    turn = {"model": "ikiro/sandbox", "subject_id": "x", "messages": [{"role": "user", "content": "Hello"}]}
    prompts = {"prompts": [{"name": "One", "prompt": "Where is it?"}], "model": "ikiro/sandbox"}
    asked: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
        ("personas_save_golden_prompts", "PUT", f"{path}/golden-prompts", prompts),
        ("personas_start_consistency_run", "POST", f"{path}/consistency-runs", {}),
        ("personas_start_experiment", "POST", f"{path}/experiments", {"name": "Two", "version_b": 1}),
        ("personas_stop_experiment", "POST", "", {"keep": "b"}),
        ("chat", "POST", "/v1/chat", {**turn, "persona_id": "put-away"}),
    )
    for client in (acme, globex):
        client.post("/v1/personas", json={"cartridge": cartridge("put-away")}).raise_for_status()
        second = {"cartridge": cartridge("put-away", tone="formal")}
        version = client.put(path, json=second).raise_for_status().json()["version"]
        begun = client.post(f"{path}/experiments", json={"name": "One", "version_b": version - 1}).json()
        client.delete(path).raise_for_status()
        for name, method, address, body in asked:
            refused = client.request(method, address or f"{path}/experiments/{begun['id']}/stop", json=body)
            assert (refused.status_code, refused.json()["code"]) == (410, "persona_archived"), name
            assert "410" in OPERATIONS[name]["responses"], name
        assert client.get(f"{path}/experiments/{begun['id']}").json()["stopped_at"] is None
        client.post(f"{path}/experiments/{begun['id']}/stop", json={}).raise_for_status()


def test_if_match__that_names_no_version__is_refused_beside_a_body_that_does(acme: httpx.Client) -> None:
    acme.post("/v1/personas", json={"cartridge": cartridge("if-match")}).raise_for_status()
    body = {"cartridge": cartridge("if-match", tone="formal"), "expected_version": 1}
    refused = acme.put("/v1/personas/if-match", json=body, headers={"if-match": "latest"})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "#/header/If-Match")
    assert acme.get("/v1/personas/if-match").json()["cartridge"]["style"]["tone"] == "friendly"
    acme.delete("/v1/personas/if-match")
