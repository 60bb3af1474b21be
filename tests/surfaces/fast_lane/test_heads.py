"""A head is read once and known again by its bytes; whatever is odd about one is left to the server."""

from __future__ import annotations

import pytest

from gateway.surfaces.fast_lane import asked
from gateway.surfaces.fast_lane.heads import Heads

LINE = b"POST /v1/chat/completions HTTP/1.1\r\n"
ACME, GLOBEX = b"Bearer ik_live_acme", b"Bearer ik_live_globex"


def said(*lines: bytes, length: bytes | None = b"3", key: bytes = ACME) -> bytes:
    every = [b"host: x", b"authorization: " + key, *lines]
    if length is not None:
        every.append(b"content-length: " + length)
    return LINE + b"".join(line + b"\r\n" for line in every) + b"\r\n"


@pytest.fixture
def heads() -> Heads:
    return Heads(LINE, 100)


@pytest.mark.parametrize(
    "more", [(), (b"Content-Type: application/json; charset=utf-8", b"Accept: */*", b"X-Stainless-Lang: x")]
)
def test_read__plain_head__is_its_caller_and_its_body(heads: Heads, more: tuple[bytes, ...]) -> None:
    for length in (b"3", b"3", b"0", b"100", b"007"):
        head = said(*more, length=length)
        for body in (b"", b"{}", b"abc" * 40):
            assert heads.read(head + body) == (asked.hash_of(ACME), len(head), len(head) + int(length))
    head = said(*more, key=GLOBEX)
    assert heads.read(head) == (asked.hash_of(GLOBEX), len(head), len(head) + 3)
    assert len(heads._kept) == 2  # whatever the lengths


@pytest.mark.parametrize(
    "data",
    [
        b"", LINE, LINE[:-3], b"GET" + said()[4:], said()[:-1], said(length=None), said(length=b""),
        said(length=b"-1"), said(length=b"+1"), said(length=b"1 "), said(length=b"1\r\n 2"), said(length=b"101"),
        said(length=b"1" * 30), said(length="\u0663".encode()), said(b"content-length: 3"),
        said(b"Content-Length: 4"), said(b"CONTENT-LENGTH: 4"), said(b"transfer-encoding: chunked"),
        said(b"connection: close"), said(b"connection: upgrade", b"upgrade: websocket"),
        said(b"expect: 100-continue"), said(b"x-persona-id: a"), said(b"content-type: text/plain"),
        said(key=b"Basic x"), said(b"authorization: " + GLOBEX), said(b"no colon"), said(b" folded: x"),
        said(b"accept: \x00"), said(b"a b: c"), said(b"accept: " + b"x" * 9000),
    ],
)  # fmt: skip
def test_read__anything_else__is_left_to_the_server(heads: Heads, data: bytes) -> None:
    for _ in range(2):
        assert heads.read(data) is None


def test_read__more_heads_than_are_kept__are_read_again(heads: Heads, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.surfaces.fast_lane.heads._MOST", 3)
    for at in range(10):
        assert heads.read(said(b"x-real-ip: %d" % at)) is not None
        assert len(heads._kept) <= 3
