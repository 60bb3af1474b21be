"""Whether a kept answer may be given again: what was forgotten or taken back since it was given is not told a second
time."""

from __future__ import annotations

import re

from gateway.core import ids
from gateway.knowledge.memory import selectors as memories
from tenants.context import in_tenant
from tenants.types import OrgRef

_NAMED = re.compile(rb"\bmem_([0-7][0-9a-hjkmnp-tv-z]{25})\b")


async def may_be_told(ref: OrgRef, body: bytes) -> bool:
    """Whether every memory that an answer names may still be told. One that names none asks nobody."""
    named = {ids.from_base32(found.decode()) for found in set(_NAMED.findall(body))}
    return not named or bool(await in_tenant(ref, memories.may_be_told, named))
