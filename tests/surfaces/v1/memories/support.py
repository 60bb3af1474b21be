"""Calls of the memory, persona, subject and policy routes as the spine makes them, without the spine."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from typing import Any

from ninja import NinjaAPI
from ninja.testing import TestAsyncClient

from gateway.core import ids
from gateway.core.endpoint import Call
from gateway.core.errors import GatewayError
from gateway.governance.policies import api as policies_api
from gateway.knowledge.personas import api as personas_api
from gateway.platform import embeddings
from gateway.surfaces.v1 import boundaries, consents, memories, memories_one, memories_tidy, policies, subjects
from tenants.types import OrgRef, Principal
from tests.factories.organizations import principal

_API = NinjaAPI(urls_namespace="test-knowledge")
for _module in (
    memories,
    memories_tidy,
    memories_one,
    consents,
    boundaries,
    policies,
    policies_api,
    personas_api,
    subjects,
):
    _API.add_router("", _module.router)


def caller(
    ref: OrgRef, *, plan: str = "business", memory_scopes: tuple[str, ...] | None = None, **narrowed: Any
) -> Principal:
    made = principal(ref, **narrowed)
    return replace(
        made,
        organization=replace(made.organization, plan=plan),
        key=replace(made.key, memory_scopes=memory_scopes),
    )


async def _asked(request: Awaitable[Any]) -> Any:
    """The answer; what was opened on this event loop ends with it."""
    try:
        return await request
    finally:
        await embeddings.close()


class Client:
    """One caller. Each method returns (status, body); a refusal gives its status and its code, details in ``error``."""

    def __init__(self, who: Principal) -> None:
        self.who, self.error, self.call = who, None, None

    def __getattr__(self, method: str) -> Any:
        def send(path: str, **options: Any) -> tuple[int, Any]:
            self.error, self.call = None, Call(ids.uuid7(), "v1", principal=self.who)
            try:
                answer = asyncio.run(_asked(getattr(TestAsyncClient(_API), method)(path, call=self.call, **options)))
            except GatewayError as error:
                self.error = error
                return error.http_status, error.code
            return answer.status_code, answer.json()

        return send
