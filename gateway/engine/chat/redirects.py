"""An answer in the persona's own words, where it hands a subject over instead of asking a model."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from gateway.core.endpoint import Call
from gateway.engine.chat.reader import Reader
from gateway.knowledge.personas.safety import Redirect
from gateway.platform.providers.types import ModelDelta


async def said(redirect: Redirect) -> AsyncGenerator[ModelDelta, None]:
    """The redirect as an answer of one piece. Nothing was asked for it, so it costs nothing."""
    yield ModelDelta(redirect.text, finish_reason="stop")


def settle_on(call: Call, reader: Reader, *, whole: bool) -> None:
    """The model's answer went where the persona does not go. A caller who waits for the whole gets the redirect alone;
    one who was sent a part already got it as the answer's end."""
    redirect = reader.redirect
    if redirect is None:
        return
    call.decided("safety", "redirected", rule=redirect.pointer, term=redirect.term, after="model")
    if whole:
        reader.content = redirect.text
        reader.citations.clear()
