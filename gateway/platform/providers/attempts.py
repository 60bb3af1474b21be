"""Trying again, where it can help and costs nobody twice.

Another attempt at the same provider is made only while it has certainly done no work that it will bill: no connection
came about, or it said itself that it could not (408, 409, 425, 429, 5xx, 529, or an error in place of the first frame).
Never after the first delta, never after a time-out or a connection that broke with the request already sent, never for
what is wrong with the request. Going on to another provider is ``gateway.engine.routing``'s business.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from django.conf import settings

from gateway.core.egress import ConnectFailed
from gateway.core.errors import GatewayError
from gateway.platform.providers.errors import ProviderFailed

T = TypeVar("T")
_LONGEST_WAIT_S = 5.0
_FIRST_WAIT_S, _GROWTH = 0.25, 3.0
# No attempt begins later than this after the first one: a caller waits for an answer, not for our patience.
_BUDGET_S = 12.0
# Failures after which the provider may have done the work, and will bill it; the last is a caller's who hung up.
_MAY_HAVE_WORKED = frozenset({"ok", "upstream_timeout", "upstream_stalled", "client_closed"})


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call to a provider: how it ended before its first delta (``ok`` when that came) and how long it took;
    ``waited_ms`` is the pause before it.
    """

    number: int
    code: str
    status: int | None
    ms: int
    waited_ms: int

    @property
    def may_have_worked(self) -> bool:
        """Whether the provider may bill it, though nothing came back."""
        return self.code in _MAY_HAVE_WORKED

    def wire(self) -> dict[str, Any]:
        """As the decision record shows it."""
        shown: dict[str, Any] = {"attempt": self.number, "code": self.code, "ms": self.ms}
        if self.status is not None:
            shown["status"] = self.status
        return {**shown, "waited_ms": self.waited_ms} if self.waited_ms else shown


async def persist(
    start: Callable[[], Awaitable[T]], made: list[Attempt], *, retries: int | None = None, since: float | None = None
) -> T:
    """The result of ``start``, tried again while that may help, at most ``retries`` times
    (``IKIRO_UPSTREAM_RETRIES``); every attempt is noted in ``made``, also one that the caller gave up. The first began
    ``since`` (monotonic), where that was before now. Raises the last attempt's error.
    """
    most = settings.IKIRO_UPSTREAM_RETRIES if retries is None else retries
    began, waited = time.monotonic(), 0.0
    while True:
        started, since = time.monotonic() if since is None else since, None
        try:
            opened = await start()
        except GatewayError as error:
            made.append(_attempt(made, error, started, waited))
            pause = _pause(error, len(made), most)
            if pause is None or time.monotonic() - began + pause > _BUDGET_S:
                raise
            waited = pause
        except BaseException:
            made.append(_attempt(made, None, started, waited, code="client_closed"))
            raise
        else:
            made.append(_attempt(made, None, started, waited))
            return opened
        await asyncio.sleep(waited)


def _attempt(
    made: list[Attempt], error: GatewayError | None, started: float, waited: float, *, code: str = "ok"
) -> Attempt:
    status = error.extra.get("provider_status") if error is not None else None
    spent = round((time.monotonic() - started) * 1000)
    return Attempt(len(made) + 1, error.code if error else code, status, spent, round(waited * 1000))


def _pause(error: GatewayError, tries: int, most: int) -> float | None:
    """Seconds to wait before the next try; None when there is to be none."""
    helps = isinstance(error, ConnectFailed) or (isinstance(error, ProviderFailed) and error.transient)
    if not helps or tries > most:
        return None
    if error.retry_after is not None:
        return error.retry_after if error.retry_after <= _LONGEST_WAIT_S else None
    # Full jitter between half and the whole, so that many callers do not come back in step.
    return _FIRST_WAIT_S * _GROWTH ** (tries - 1) * random.uniform(0.5, 1.0)  # noqa: S311 - no secret depends on it
