"""OpenTelemetry: the tree of spans that a collector gets of one call, without a word of what was said."""

from __future__ import annotations

import json
import secrets
from typing import Any

import httpx
import pytest

from tests.harness import eventually
from tests.platform.telemetry.conftest import Observed

SERVER, CLIENT, INTERNAL = 2, 3, 1
ERROR = 2


def traceparent() -> tuple[str, str, str]:
    """A caller's context: the header, its trace id, its span id."""
    trace_id, span_id = secrets.token_hex(16), secrets.token_hex(8)
    return f"00-{trace_id}-{span_id}-01", trace_id, span_id


def tree(observed: Observed, trace_id: str, *, root: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The server's span and its children, in the order in which they began."""

    def complete() -> list[dict[str, Any]]:
        spans = observed.receiver.trace(trace_id)
        return spans if any(one["name"] == root for one in spans) else []

    spans = eventually(complete, within=20)
    server = next(one for one in spans if one["name"] == root)
    children = sorted((one for one in spans if one is not server), key=lambda one: one["began"])
    assert all(one["parent_id"] == server["span_id"] for one in children)
    return server, children


def said(calls: list[dict[str, Any]], model: str) -> dict[str, Any]:
    """The one call that the provider saw for a model."""
    (found,) = [one for one in calls if one["body"].get("model") == model]
    return found


def test_chat__traced__is_one_tree_from_auth_to_settle(observed: Observed, upstream: Any) -> None:
    header, trace_id, span_id = traceparent()
    model = f"fake:normal,tag={secrets.token_hex(4)}"
    body = {
        "persona_id": "brand-default", "subject_id": "traced", "model": f"openai/{model}",
        "messages": [{"role": "user", "content": "a very private question"}],
    }  # fmt: skip
    with observed.org().client() as client:
        answer = client.post("/v1/chat", json=body, headers={"traceparent": header})
    assert answer.status_code == 200, answer.text
    server, children = tree(observed, trace_id, root="POST /chat")
    assert (server["parent_id"], server["kind"], server["service"]) == (span_id, SERVER, "ikiro-gateway")
    shown = server["attributes"]
    assert (shown["http.request.method"], shown["http.response.status_code"]) == ("POST", 200)
    assert shown["ikiro.organization_id"].startswith("org_")
    assert shown["ikiro.caller_id"].startswith("key_")
    assert [one["name"] for one in children] == ["auth", "recall", "compose", f"chat openai/{model}", "settle"]
    call = children[3]
    assert call["kind"] == CLIENT
    usage = answer.json()["usage"]
    assert {name: call["attributes"].get(name) for name in (
        "gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model", "gen_ai.response.model",
        "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens", "gen_ai.response.finish_reasons",
        "ikiro.persona_id", "error.type",
    )} == {
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai",
        "gen_ai.request.model": f"openai/{model}", "gen_ai.response.model": f"openai/{model}",
        "gen_ai.usage.input_tokens": usage["prompt_tokens"],
        "gen_ai.usage.output_tokens": usage["completion_tokens"],
        "gen_ai.response.finish_reasons": ["stop"], "ikiro.persona_id": "brand-default", "error.type": None,
    }  # fmt: skip
    # The provider's own trace can go on from the span of the call.
    assert said(upstream.calls(), model)["headers"]["traceparent"] == f"00-{trace_id}-{call['span_id']}-01"
    assert "private" not in json.dumps([server, *children])


def test_pass_through__streamed__ends_its_span_with_the_last_chunk(observed: Observed) -> None:
    header, trace_id, _ = traceparent()
    model = f"openai/fake:normal,pace_ms=40,tag={secrets.token_hex(4)}"
    body = {"model": model, "stream": True, "messages": [{"role": "user", "content": "hello"}]}
    with observed.org().client() as client:
        answer = client.post("/v1/chat/completions", json=body, headers={"traceparent": header})
    assert answer.text.rstrip().endswith("[DONE]")
    server, children = tree(observed, trace_id, root="POST /chat/completions")
    assert [one["name"] for one in children] == ["auth", f"chat {model}", "settle"]
    assert children[1]["attributes"]["gen_ai.request.stream"] is True
    assert server["ended"] >= children[1]["ended"] > children[1]["began"] + 40_000_000


def test_failures__of_provider_and_caller__are_told_by_code_alone(observed: Observed) -> None:
    header, trace_id, _ = traceparent()
    model = f"openai/fake:status,code=400,tag={secrets.token_hex(4)}"
    body = {"model": model, "messages": [{"role": "user", "content": "hello"}]}
    with observed.org().client() as client:
        refused = client.post("/v1/chat/completions", json=body, headers={"traceparent": header})
        server, children = tree(observed, trace_id, root="POST /chat/completions")
        code = refused.json()["error"]["code"]
        assert server["attributes"]["error.type"] == code
        call = next(one for one in children if one["name"].startswith("chat "))
        assert (call["attributes"]["error.type"], call["status"]) == (code, ERROR)
        assert server["events"] == call["events"] == 0  # no exception's message, no stack
        header, trace_id, _ = traceparent()
        client.get("/v1/requests/nothing", headers={"traceparent": header, "authorization": "Bearer ik_live_x_y"})
    server, children = tree(observed, trace_id, root="GET /requests/{request_id}")
    assert server["attributes"]["http.route"] == "/requests/{request_id}"
    assert server["attributes"]["error.type"].startswith("key_")
    assert (children[0]["name"], children[0]["status"]) == ("auth", ERROR)


def test_caller__hung_up_before_the_answer__ends_the_span_all_the_same(observed: Observed) -> None:
    header, trace_id, _ = traceparent()
    model = f"openai/fake:delay,delay_ms=20000,tag={secrets.token_hex(4)}"
    body = {"model": model, "messages": [{"role": "user", "content": "hello"}]}
    with observed.org().client() as client, pytest.raises(httpx.ReadTimeout):
        client.post("/v1/chat/completions", json=body, headers={"traceparent": header}, timeout=2)
    server, children = tree(observed, trace_id, root="POST /chat/completions")
    assert server["attributes"]["http.response.status_code"] == 499
    call = next(one for one in children if one["name"].startswith("chat "))
    assert call["attributes"]["ikiro.outcome"] == "client_closed"


def test_traceparent__without_an_exporter__is_passed_on_as_it_came(observed: Observed, upstream: Any) -> None:
    header, _, _ = traceparent()
    model = f"fake:normal,tag={secrets.token_hex(4)}"
    body = {"model": f"openai/{model}", "messages": [{"role": "user", "content": "hello"}]}
    for given, sent in ((header, header), ("00-nonsense", None)):
        with observed.gateway.acme.client() as client:
            url = f"{observed.gateway.base_url}/v1/chat/completions"
            name = f"{model}{len(given)}"
            answer = client.post(url, json={**body, "model": f"openai/{name}"}, headers={"traceparent": given})
        assert answer.status_code == 200, answer.text
        assert said(upstream.calls(), name)["headers"].get("traceparent") == sent
