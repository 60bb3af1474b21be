"""What a provider lists under ``/models``, in either dialect: names, when made, nothing else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from gateway.core import egress
from gateway.platform.providers.refusals import Refusals
from gateway.platform.providers.types import ListedModel

_TIMEOUTS = egress.Timeouts(connect=2.0, first_byte=4.0, stall=2.0, total=6.0)
_MAX_BYTES = 4 * 1024 * 1024
_MOST = 2_000
_NAME = re.compile(r"[\x21-\x7e]{1,200}\Z")
_CUT = re.compile(r"\.\d+")


async def fetch(url: str, headers: Mapping[str, str], trusted: bool, refusals: Refusals) -> tuple[ListedModel, ...]:
    """The provider's list. Raises UpstreamError when there is none to be had."""
    call = egress.open(
        "GET", url, {"accept": "application/json", **headers}, trusted=trusted, timeouts=_TIMEOUTS, max_body=_MAX_BYTES
    )
    async with call as response:
        body = await response.read()
        if response.status != 200:
            raise refusals.answered("", response.status, response.headers, body)
    try:
        value = msgspec.json.decode(body)
    except msgspec.DecodeError:
        raise refusals.no_answer() from None
    rows = value.get("data") if isinstance(value, dict) else value
    if not isinstance(rows, list):
        raise refusals.no_answer()
    found = (_model(row) for row in rows[:_MOST])
    return tuple(model for model in found if model is not None)


def _model(row: Any) -> ListedModel | None:
    name = row.get("id") if isinstance(row, dict) else None
    if not isinstance(name, str) or not _NAME.match(name):
        return None
    shown = row.get("display_name")
    return ListedModel(name, shown[:200] if isinstance(shown, str) and shown else name, _created(row))


def _created(row: dict[str, Any]) -> int:
    moment = row.get("created")
    if isinstance(moment, int) and 0 <= moment < 2**33:
        return moment
    text = row.get("created_at")
    try:
        return int(datetime.fromisoformat(_CUT.sub("", str(text))).timestamp()) if text else 0
    except (ValueError, OverflowError):
        return 0
