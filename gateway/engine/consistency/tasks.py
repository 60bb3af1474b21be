"""Celery's way in: the golden prompts of the night."""

from __future__ import annotations

import structlog

from gateway.core import clock
from gateway.core.errors import GatewayError
from gateway.engine.consistency import selectors, services
from tenants.celery import tenant_task
from tenants.types import OrgRef

log = structlog.get_logger(__name__)


@tenant_task(name="consistency.nightly")
def nightly(ref: OrgRef) -> None:
    """Ask what is asked each night; called again the same night it does nothing."""
    now = clock.now()
    for golden in selectors.nightly():
        try:
            services.start_nightly(golden, now)
        except GatewayError as error:  # an archived persona, say; the others are asked
            log.warning("consistency.nightly_not_started", code=error.code, organization=ref.public_id)
