"""What can go wrong with a call of the API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One thing wrong with the input. ``pointer`` is a JSON pointer fragment: ``#/name``, ``#/query/limit``."""

    pointer: str
    code: str
    message: str

    @property
    def field(self) -> str:
        """The first segment: the form field it belongs to."""
        return self.pointer.removeprefix("#").strip("/").split("/")[0]


class ApiError(Exception):
    """The gateway refused, in its own words. ``extra`` holds what else its problem document said."""

    def __init__(self, status: int, body: dict[str, Any], *, retry_after: float | None = None) -> None:
        self.status = status
        self.code = str(body.get("code") or "unknown")
        self.title = str(body.get("title") or "The gateway refused")
        self.detail = str(body.get("detail") or "")
        self.problems = tuple(
            FieldProblem(str(one.get("pointer", "")), str(one.get("code", "")), str(one.get("message", "")))
            for one in body.get("errors") or ()
            if isinstance(one, dict)
        )
        self.retry_after: float | None = body.get("retry_after", retry_after)
        self.request_id = str(body.get("request_id") or "")
        self.extra = body
        super().__init__(f"{status} {self.code}: {self.detail}")


class GatewayDown(Exception):
    """The gateway did not answer at all, or with something that is no answer of its API."""

    def __init__(self, url: str, reason: str) -> None:
        self.url = url
        self.reason = reason
        super().__init__(f"{url}: {reason}")
