"""What overlays would change: ``POST /v1/policies/what-if`` tries one on kept requests before it is written, and
``GET /v1/policies/shadow-report`` counts what those in shadow would have done to live ones."""

from __future__ import annotations

from typing import Annotated

from django.http import HttpRequest
from ninja import Query, Router

from gateway.core.endpoint import Scope, call_of, endpoint
from gateway.engine.evaluation import shadow_report, what_if
from gateway.governance.policies.types import Fields, Level, Overlay
from gateway.surfaces.v1 import kept
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
    report = await what_if.run(draft, days=body.days, show=body.show, principal=principal, read=kept.read)
    call.read("request.evaluated", "policies", evaluated=report.evaluated)
    return WhatIfOut.of(report)


@router.get("/policies/shadow-report", response=WhatIfOut, summary="What overlays in shadow would have changed")
@endpoint(scope=Scope.POLICIES_READ)
async def report_shadows(
    request: HttpRequest,
    *,
    level: Level | None = None,
    target: Annotated[str, Query(max_length=128)] = "",
    days: Annotated[int, Query(ge=1, le=90)] = 7,
    show: Annotated[int, Query(ge=0, le=200)] = 50,
) -> WhatIfOut:
    """The calls of the last `days` that overlays in shadow speak of, from their decision records: what was decided, and
    what would have been with all of the shadows in force at that moment. `level` and `target` leave those that one
    overlay was among. At most the newest 10,000 are looked at."""
    call = call_of(request)
    principal = call.principal
    name = Overlay(level, target.replace("\0", "\ufffd"), Fields(), Fields()).name if level is not None else None
    report = await in_tenant(
        principal.ref, shadow_report.run, days=days, show=show, overlay=name, principal=principal
    )  # fmt: skip
    call.read("request.evaluated", "policies", evaluated=report.evaluated)
    return WhatIfOut.of(report)
