"""`GET /v1/models` as the official Python client reads it."""

from __future__ import annotations

import openai
import pytest

from tests.contract.clients.support import client
from tests.harness import Gateway


def test_models__listed__can_each_be_retrieved(front: Gateway) -> None:
    with client(front.acme) as ai:
        listed = list(ai.models.list())
        assert {model.object for model in listed} == {"model"}
        assert "ikiro/sandbox" in {model.id for model in listed}
        sandbox = ai.models.retrieve("ikiro/sandbox")
    assert (sandbox.id, sandbox.object, sandbox.owned_by) == ("ikiro/sandbox", "model", "ikiro")


def test_models__unknown__is_not_found_by_its_code(front: Gateway) -> None:
    with client(front.acme) as ai, pytest.raises(openai.NotFoundError) as raised:
        ai.models.retrieve("nobody/nothing")
    assert raised.value.code == "model_not_found"
