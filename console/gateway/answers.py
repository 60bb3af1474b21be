"""An answer of the API, read: data when it went well, ApiError when the gateway refused, GatewayDown for anything
that is not its API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from console.gateway.errors import ApiError, GatewayDown


@dataclass(frozen=True, slots=True)
class Result:
    """A call that went well. ``result["name"]`` reads its JSON object."""

    status: int
    data: dict[str, Any]
    headers: Mapping[str, str]

    def __getitem__(self, name: str) -> Any:
        return self.data[name]

    def get(self, name: str, default: Any = None) -> Any:
        return self.data.get(name, default)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The items of a list."""
        rows: list[dict[str, Any]] = self.data.get("data", [])
        return rows

    @property
    def next_cursor(self) -> str | None:
        return self.data.get("next_cursor")


def unwrap(response: httpx.Response) -> Result:
    """The result. Raises ApiError for a refusal, GatewayDown for an answer that is not of the API."""
    body = _object(response)
    if response.is_success and body is not None:
        return Result(response.status_code, body, response.headers)
    if body is None or "code" not in body:
        place = f"{response.url.scheme}://{response.url.netloc.decode()}"
        raise GatewayDown(place, f"it answered {response.status_code} with something that is not of its API")
    raise ApiError(response.status_code, body, retry_after=_seconds(response.headers.get("retry-after")))


def _object(response: httpx.Response) -> dict[str, Any] | None:
    if response.status_code == 204 or (response.is_success and not response.content):
        return {}
    try:
        body = response.json()
    except ValueError:
        return None
    if isinstance(body, dict):
        return body
    return {"data": body} if isinstance(body, list) else None


def _seconds(text: str | None) -> float | None:
    return float(text) if text and text.isdigit() else None
