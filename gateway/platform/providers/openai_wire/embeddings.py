"""Embeddings: the provider's bytes, except for one thing that clients stumble over."""

from __future__ import annotations

import base64
import struct
from typing import Any

import msgspec

from gateway.platform.providers.refusals import Refusals
from gateway.platform.providers.types import TokenUsage


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    total_tokens: int | None = None


class _Embeddings(msgspec.Struct):
    data: list[msgspec.Raw] | None = None
    usage: _Usage | None = None
    error: Any = None


_decoder = msgspec.json.Decoder(_Embeddings)
_raw, _encode = msgspec.json.Decoder(dict[str, msgspec.Raw]), msgspec.json.Encoder().encode


def splice(body: bytes, *, model: str) -> tuple[bytes, str]:
    """(the caller's body with ``model`` put in, the encoding it asks for). Every other value keeps its bytes."""
    fields = _raw.decode(body)
    fields["model"] = msgspec.Raw(_encode(model))
    encoding = msgspec.json.decode(fields.get("encoding_format", msgspec.Raw(b"null")))
    return _encode(fields), encoding if isinstance(encoding, str) else "float"


def usage_of(refusals: Refusals, body: bytes) -> TokenUsage | None:
    """The usage of an answer. Raises UpstreamError for an error, UpstreamBroken for anything that holds no vectors."""
    try:
        answer = _decoder.decode(body)
    except msgspec.DecodeError:
        raise refusals.no_answer() from None
    if answer.error is not None:
        raise refusals.inside(answer.error)
    if answer.data is None:
        raise refusals.no_answer()
    usage = answer.usage
    return None if usage is None else TokenUsage(usage.prompt_tokens or usage.total_tokens or 0, 0)


def as_asked(body: bytes, encoding: str) -> bytes:
    """The answer with numbers where ``float`` was asked for and text came: clients would hand on the text. The reverse
    they understand. The same bytes when nothing is wrong.
    """
    if encoding != "float" or b'"embedding":"' not in body.replace(b": ", b":"):
        return body
    value = msgspec.json.decode(body)
    for row in value["data"]:
        if isinstance(row.get("embedding"), str):
            packed = base64.b64decode(row["embedding"])
            row["embedding"] = list(struct.unpack(f"<{len(packed) // 4}f", packed))
    return msgspec.json.encode(value)
