"""One line per event on stderr: JSON for machines, or readable for people (IKIRO_LOG_FORMAT). Both our own events
(structlog) and what libraries log come out alike, with the request, organization and caller that they belong to, and
without any secret (``ikiro.redaction``). Bodies are never logged.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any

import structlog
from django.conf import settings

from gateway.core import ids, serving
from ikiro import redaction

# Handlers that the server made before Django was there.
_SERVERS = ("uvicorn", "uvicorn.access")
Event = MutableMapping[str, Any]


def configure() -> None:
    """Set structlog up for this process, and give the server's own handlers our format."""
    structlog.configure(
        processors=processors(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    for name in _SERVERS:
        for handler in logging.getLogger(name).handlers:
            handler.setFormatter(LineFormatter())


def processors() -> list[Any]:
    """What a structlog event goes through on its way to a line."""
    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _about_the_request,
        _exceptions,
        _render,
    ]


class LineFormatter(logging.Formatter):
    """What the standard library's loggers say, as our own events look."""

    def format(self, record: logging.LogRecord) -> str:
        event: dict[str, Any] = {
            "event": record.getMessage(),
            "logger": record.name,
            "level": record.levelname.lower(),
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z"),
        }
        if record.exc_info:
            event["exception"] = redaction.exception_text(*record.exc_info)
        return _render(None, "", _about_the_request(None, "", event))


def _about_the_request(logger: Any, method: str, event: Event) -> Event:
    """Which request, organization and caller a line belongs to, where there is one."""
    call = serving.call.get()
    if call is not None:
        event.setdefault("request_id", ids.public("req", call.request_id))
        if call.principal is not None:
            event.setdefault("organization_id", call.principal.ref.public_id)
            event.setdefault("caller_id", call.principal.grant.public_id)
    return event


def _exceptions(logger: Any, method: str, event: Event) -> Event:
    given = event.pop("exc_info", None)
    if given:
        error = (
            given if isinstance(given, BaseException) else (given if isinstance(given, tuple) else sys.exc_info())[1]
        )
        if error is not None:
            event["exception"] = redaction.exception_text(type(error), error, error.__traceback__)
    return event


_as_json = structlog.processors.JSONRenderer(default=str)
_for_people = structlog.dev.ConsoleRenderer(colors=False, pad_event_to=36)


def _render(logger: Any, method: str, event: Event) -> str:
    redaction.scrub(event)
    if settings.IKIRO_LOG_FORMAT == "console":
        return redaction.redact(str(_for_people(logger, method, event)))
    return redaction.redact(str(_as_json(logger, method, event)))
