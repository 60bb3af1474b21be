"""LangChain for Python with its OpenAI and Anthropic packages, unchanged but for the base URL."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import anthropic
import openai
import pytest
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel, SecretStr

from tests.contract.clients.support import HELLO, WIRES
from tests.harness import Gateway


class Trip(BaseModel):
    """Where to, and for how long."""

    city: str
    days: int


@tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"21 degrees in {city}"


@pytest.fixture(params=["chat", "responses", "messages"])
def dialect(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["plain", "persona"])
def headers(request: pytest.FixtureRequest) -> dict[str, str]:
    if request.param == "plain":
        return {}
    return {"x-persona-id": "brand-default", "x-subject-id": f"langchain-{uuid4().hex[:12]}"}


def model(front: Gateway, dialect: str, name: str, headers: dict[str, str] | None = None) -> Any:
    key = SecretStr(front.acme.api_key)
    more: dict[str, Any] = {"max_retries": 0, "timeout": 20, "default_headers": headers or {}}
    if dialect == "messages":
        return ChatAnthropic(model_name=name, base_url=front.base_url, api_key=key, max_tokens=200, **more)
    return ChatOpenAI(
        model=name, base_url=f"{front.base_url}/v1", api_key=key, use_responses_api=dialect == "responses", **more
    )


@pytest.mark.parametrize("wire", WIRES)
def test_invoke_and_stream__say_the_same(front: Gateway, dialect: str, wire: str, headers: dict[str, str]) -> None:
    chat = model(front, dialect, f"{wire}/fake:normal", headers)
    whole = chat.invoke("hello")
    pieces = list(chat.stream("hello"))
    gathered = pieces[0]
    for piece in pieces[1:]:
        gathered += piece
    assert whole.text == gathered.text == HELLO
    assert whole.usage_metadata["output_tokens"] > 0
    assert len(pieces) > 2


@pytest.mark.parametrize("wire", WIRES)
def test_tools__there_and_back__reach_the_model(
    front: Gateway, dialect: str, wire: str, headers: dict[str, str]
) -> None:
    chat = model(front, dialect, f"{wire}/fake:tools,case=offered", headers).bind_tools([get_weather])
    asked = HumanMessage("weather?")
    first = chat.invoke([asked])
    (call,) = first.tool_calls
    assert (call["name"], call["args"]) == ("get_weather", {"city": "Berlin"})
    result: ToolMessage = get_weather.invoke(call)
    second = model(front, dialect, f"{wire}/fake:normal", headers).bind_tools([get_weather])
    assert second.invoke([asked, first, result]).text == HELLO


@pytest.mark.parametrize("wire", WIRES)
def test_structured_output__is_the_object(front: Gateway, dialect: str, wire: str, headers: dict[str, str]) -> None:
    chat = model(front, dialect, f"{wire}/fake:json", headers).with_structured_output(Trip, method="json_schema")
    assert chat.invoke("where to?") == Trip(city="Berlin", days=3)


@pytest.mark.parametrize("wire", WIRES)
def test_failures__are_the_vendors_own_classes(front: Gateway, dialect: str, wire: str) -> None:
    theirs: Any = anthropic if dialect == "messages" else openai
    with pytest.raises(theirs.RateLimitError):
        model(front, dialect, f"{wire}/fake:status,code=429").invoke("hello")
    with pytest.raises((theirs.APIError, ValueError)):
        list(model(front, dialect, f"{wire}/fake:error-mid").stream("hello"))


def test_embeddings__of_documents__are_vectors(front: Gateway) -> None:
    embedder = OpenAIEmbeddings(
        model="openai/fake:normal", base_url=f"{front.base_url}/v1", api_key=SecretStr(front.acme.api_key),
        check_embedding_ctx_length=False,
    )  # fmt: skip
    assert len(embedder.embed_documents(["green tea", "black coffee"])) == 2
