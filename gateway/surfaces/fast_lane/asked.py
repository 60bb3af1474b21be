"""A request as the server gives it: whether it is a plain one, and its body."""

from __future__ import annotations

from hashlib import sha256

from gateway.surfaces.asgi import Message, Receive, Scope

SCHEME = b"Bearer "
# A key; people's tokens and capability tokens go the usual way.
_KEY = SCHEME + b"ik_"
# Headers that change nothing about the answer. With any other one the request is not plain.
_PLAIN = frozenset({
    b"host", b"accept", b"accept-encoding", b"accept-language", b"connection", b"keep-alive", b"user-agent",
    b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-real-ip",
})  # fmt: skip
# What the official clients say of themselves.
_OF_CLIENTS = b"x-stainless-"


def credential(scope: Scope, most_bytes: int) -> bytes | None:
    """The ``Authorization`` of a plain request of at most so many bytes; None for any other."""
    if scope["method"] != "POST" or scope["query_string"]:
        return None
    found, length = None, b""
    for name, value in scope["headers"]:
        if name == b"authorization":
            if found is not None or not value.startswith(_KEY):
                return None
            found = value
        elif name == b"content-length":
            length = value
        elif name == b"content-type":
            if not value.startswith(b"application/json"):
                return None
        elif name not in _PLAIN and not name.startswith(_OF_CLIENTS):
            return None
    return found if length.isdigit() and int(length) <= most_bytes else None


def hash_of(credential: bytes) -> bytes:
    """What a credential is remembered by."""
    return sha256(credential).digest()


async def rest(message: Message, receive: Receive) -> bytes | None:
    """The body that begins with ``message``, whose length is known to be fit; None when the client hung up."""
    chunks = [message.get("body", b"")]
    while message.get("more_body"):
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunks.append(message.get("body", b""))
    return b"".join(chunks)


def again(body: bytes, receive: Receive) -> Receive:
    """``receive`` from the beginning."""
    waiting = [body]

    async def first() -> Message:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        return await receive()

    return first
