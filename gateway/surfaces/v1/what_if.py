"""``POST /v1/policies/what-if``: what an overlay would have changed, tried on kept requests before it is written."""

from __future__ import annotations

from django.http import HttpRequest
from ninja import Router

from gateway.core.endpoint import Scope, call_of, endpoint
from gateway.engine.evaluation import what_if
from gateway.governance.policies.types import Overlay
from gateway.surfaces.v1.schemas.what_if import WhatIfIn, WhatIfOut
from tenants.context import in_tenant

router = Router(tags=["policies"])


@router.post("/policies/what-if", response=WhatIfOut, summary="What an overlay would have changed")
@endpoint(scope=Scope.POLICIES_WRITE)
async def try_overlay(request: HttpRequest, body: WhatIfIn) -> WhatIfOut:
    """The requests of the last `days` whose bodies were kept, decided again under the policy as it is and as it would
    be with this overlay, by the same functions. Nothing is written and no model is asked. Answers and what depends on
    them (output guardrails, proposals) are not decided again. At most the newest 1,000 are looked at."""
    call = call_of(request)
    principal = call.principal
    draft = Overlay(body.level, body.target.strip(), body.locks.fields(), body.defaults.fields(), body.precedence)
    report = await in_tenant(principal.ref, what_if.run, draft, days=body.days, show=body.show, principal=principal)
    call.read("request.evaluated", "policies", evaluated=report.evaluated)
    return WhatIfOut.of(report)
