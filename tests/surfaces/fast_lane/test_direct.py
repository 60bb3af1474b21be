"""The shortest way of all: what goes down it is what the usual lane would have made of the same bytes, however they
come in and whatever happens meanwhile."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import signal
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from gateway.surfaces.asgi import BEGUN
from gateway.surfaces.fast_lane import FastLane
from gateway.surfaces.fast_lane.direct import BODY
from tests.harness import Gateway, Org, eventually
from tests.surfaces.fast_lane.conftest import Lanes
from tests.surfaces.fast_lane.test_same import ANSWERED, FAILED, differences, plain, recorded, seen
from tests.surfaces.openai.support import PATH

CASES = (
    "plain", "unknown-fields", "long", "max-tokens", "alias", "tools", "two-answers", "no-usage", "priced", "sandbox",
    "bad-request", "unauthorized-there", "down", "not-json", "broken", "error-first", "silent", "no-model",
)  # fmt: skip
_CHANGING = re.compile(rb"req_[0-9a-z]{26}|(?<=date: )[^\r]+|(?<=ratelimit-)(remaining|reset): \d+|\"created\": ?\d+")


@pytest.mark.parametrize("case", CASES)
def test_lanes__same_body_again__leave_the_same(lanes: Lanes, upstream: Any, case: str) -> None:
    request = {**ANSWERED, **FAILED}[case]
    with lanes.fast.acme.client() as client:
        client.post(PATH, json=plain())  # so that a connection is open
        client.post(PATH, json=request)
    found = [seen(one.acme, upstream, json=request) for one in lanes.both()]
    fast, usual = recorded(lanes.fast.acme, *found) if "record" in found[0] else found
    assert differences(fast, usual) == []


def head(org: Org, length: int, *lines: str) -> bytes:
    said = [
        f"POST {PATH} HTTP/1.1",
        "Host: x",
        f"Authorization: Bearer {org.api_key}",
        "Content-Type: application/json",
    ]
    return "\r\n".join([*said, *lines, f"Content-Length: {length}", "", ""]).encode()


def request(org: Org, *lines: str, **more: Any) -> bytes:
    body = json.dumps(plain(**more)).encode()
    return head(org, len(body), *lines) + body


class Wire:
    """A connection that is read answer by answer."""

    def __init__(self, product: Gateway) -> None:
        self.socket = socket.create_connection(("127.0.0.1", product.port), timeout=15)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self.socket.makefile("rb")

    def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.socket.sendall(piece)
            time.sleep(0.03)

    def answer(self) -> tuple[bytes, bytes]:
        """Head and body; both empty at the connection's end."""
        lines = []
        while (line := self._file.readline()) not in (b"\r\n", b""):
            lines.append(line)
        said = b"".join(lines)
        length = re.search(rb"content-length: (\d+)", said)
        return said, self._file.read(int(length[1])) if length else b""

    def close(self) -> None:
        self._file.close()
        self.socket.close()


@contextmanager
def connected(product: Gateway) -> Iterator[Wire]:
    """A connection by which one plain call of each organization went already."""
    wire = Wire(product)
    try:
        for org in (product.acme, product.globex):
            wire.send(request(org))
            assert wire.answer()[0].startswith(b"HTTP/1.1 200 OK")
        yield wire
    finally:
        wire.close()


def lasting(*answers: tuple[bytes, bytes]) -> list[bytes]:
    return [_CHANGING.sub(b"_", head + body) for head, body in answers]


def test_answer__of_either_lane__is_the_same_to_the_byte(lanes: Lanes, upstream: Any) -> None:
    told = []
    for product in lanes.both():
        with connected(product) as wire:
            wire.send(request(product.acme))
            told.append(lasting(wire.answer()))
    # The order in which a head says things has no meaning.
    assert [sorted(one[0].split(b"\r\n")) for one in told] == [sorted(told[0][0].split(b"\r\n"))] * 2


@pytest.mark.parametrize("cuts", [(-1,), (0,), (1, 2, 3), (-200,), (30,), (30, -30)], ids=str)
def test_request__in_pieces__is_answered_as_a_whole_one(lanes: Lanes, upstream: Any, cuts: tuple[int, ...]) -> None:
    """Cut before, in and after its head, which ends where 0 is."""
    told = []
    for product in lanes.both():
        with connected(product) as wire:
            data, middle = request(product.acme), len(head(product.acme, 999))
            at = [0, *sorted(cut + middle for cut in cuts), len(data)]
            for _ in range(2):
                upstream.reset()
                wire.send(*(data[begin:end] for begin, end in itertools.pairwise(at)))
                told.append((lasting(wire.answer()), [call["body"] for call in upstream.calls()]))
    assert [sorted(one[0].split(b"\r\n")) for one, _ in told] == [sorted(told[0][0][0].split(b"\r\n"))] * 4
    assert [bodies for _, bodies in told] == [told[0][1]] * 4


@pytest.mark.parametrize("at_once", [True, False])
def test_requests__pipelined__are_answered_in_their_order(lanes: Lanes, upstream: Any, at_once: bool) -> None:
    slow = "openai/fake:delay,delay_ms=150"
    for product in lanes.both():
        with connected(product) as wire:
            for _ in range(2):
                wire.send(request(product.acme, model=slow))
                assert wire.answer()[0].startswith(b"HTTP/1.1 200")
            me = f"GET /v1/me HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {product.globex.api_key}\r\n\r\n".encode()
            pieces = [
                request(product.acme, model=slow), request(product.globex, user="second"), me,
                request(product.acme, model="openai/fake:status,code=400"), me, request(product.globex, user="last"),
            ]  # fmt: skip
            wire.send(*([b"".join(pieces)] if at_once else pieces))
            answers = [wire.answer() for _ in pieces]
            assert [int(said.split(b" ")[1]) for said, _ in answers] == [200, 200, 200, 400, 200, 200]
            assert [b'"choices"' in body for _, body in answers] == [True, True, False, False, False, True]


@pytest.mark.parametrize("line", ["Connection: close", "Expect: 100-continue", "X-Persona-Id: brand-default"])
def test_head__that_asks_for_more_after_plain_ones__is_obeyed(lanes: Lanes, upstream: Any, line: str) -> None:
    told = []
    for product in lanes.both():
        with connected(product) as wire:
            wire.send(request(product.acme, line))
            first = wire.answer()
            if b" 100 " in first[0]:
                first = wire.answer()
            wire.send(request(product.acme)) if line != "Connection: close" else None
            told.append((lasting(first), lasting(wire.answer())[0][:12]))
    assert [sorted(one[0].split(b"\r\n")) for one, _ in told] == [sorted(told[0][0][0].split(b"\r\n"))] * 2
    assert [after for _, after in told] == [b"" if line == "Connection: close" else b"HTTP/1.1 200"] * 2


def outcomes(org: Org, model: str, number: int) -> list[str]:
    """How the last so many calls of a model ended, the latest first, once all are settled."""

    def listed() -> list[str] | None:
        with org.client() as client:
            found = client.get("/v1/requests", params={"limit": number, "model": model}).json()["data"]
        settled = [one["outcome"] for one in found if one["price_version"]]
        return settled if len(settled) == number else None

    return list(eventually(listed, within=20))


def test_client__hangs_up_while_the_model_thinks__upstream_is_let_go_and_the_call_is_settled(
    lanes: Lanes, upstream: Any
) -> None:
    model = f"openai/fake:delay,delay_ms=1000,mark={uuid.uuid4().hex[:8]}"
    with connected(lanes.fast) as wire:
        wire.send(request(lanes.fast.acme, model=model))
        assert wire.answer()[0].startswith(b"HTTP/1.1 200")
        upstream.reset()
        wire.send(request(lanes.fast.acme, model=model))
        upstream.wait_for(lambda calls: len(calls) == 1, seconds=5)
    began = time.monotonic()
    upstream.wait_for(lambda calls: any(call["disconnected"] for call in calls), seconds=5)
    assert time.monotonic() - began < 0.5
    assert outcomes(lanes.fast.acme, model, 2) == ["client_closed", "ok"]


def test_kept_connection__closed_by_the_provider__costs_nobody_an_answer(lanes: Lanes, upstream: Any) -> None:
    with connected(lanes.fast) as wire, httpx.Client() as other:
        other.post(
            f"{lanes.fast.base_url}{PATH}", json=plain("openai/fake:break"),
            headers={"authorization": f"Bearer {lanes.fast.globex.api_key}"},
        )  # fmt: skip
        for _ in range(5):
            wire.send(request(lanes.fast.acme))
            assert wire.answer()[0].startswith(b"HTTP/1.1 200")


def test_call__comes_back_while_its_client_hangs_up__reaches_the_usual_lane_with_its_body() -> None:
    """There it is settled: whoever has a lease must not be lost between the two."""
    seen_there: list[Any] = []

    async def usual(scope: dict[str, Any], receive: Any, send: Any) -> None:
        seen_there.extend([scope[BEGUN], await receive(), await receive()])

    async def gone() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    scope = {
        "type": "http",
        "method": "POST",
        "path": PATH,
        "headers": [],
        "query_string": b"",
        BEGUN: "it",
        BODY: b"{}",
    }
    asyncio.run(FastLane(usual)(scope, gone, gone))
    assert seen_there == [
        "it",
        {"type": "http.request", "body": b"{}", "more_body": False},
        {"type": "http.disconnect"},
    ]


def test_limit__used_up__refuses_as_the_usual_lane_does_and_asks_nobody(lanes: Lanes, upstream: Any) -> None:
    for product in lanes.both():
        with product.acme.client() as client:
            limits = {"name": f"direct-{uuid.uuid4().hex[:8]}", "rate": {"limit": 3, "window_s": 60}}
            secret = client.post("/v1/keys", json=limits).raise_for_status().json()["secret"]
        narrow = Org("acme", secret, product.base_url)
        with connected(product) as wire:
            statuses, calls = [], []
            for _ in range(5):
                upstream.reset()
                wire.send(request(narrow))
                said, body = wire.answer()
                statuses.append(int(said.split(b" ")[1]))
                calls.append(len(upstream.calls()))
            assert statuses == [200, 200, 200, 429, 429]
            assert calls == [1, 1, 1, 0, 0]
            assert json.loads(body)["error"]["code"] == "rate_limited"
            assert b"ratelimit-limit: 3" in said
            wire.send(request(product.globex))
            assert wire.answer()[0].startswith(b"HTTP/1.1 200")


def test_server__stops_and_loses_patience__ends_the_call_and_settles_it(gateway: Gateway, upstream: Any) -> None:
    slow = f"openai/fake:delay,delay_ms=9000,mark={uuid.uuid4().hex[:8]}"
    quick = "openai/fake:delay,delay_ms=300"
    with gateway.beside(IKIRO_FAST_LANE="1") as product:
        with connected(product) as wire, connected(product) as other:
            for one in (wire, other):  # so that two connections are open
                one.send(request(product.acme, model=quick))
            assert [one.answer()[0][:12] for one in (wire, other)] == [b"HTTP/1.1 200"] * 2
            other.send(request(product.acme, model=slow))  # the first of its kind, so that the next is known
            wire.send(request(product.acme, model=slow))
            upstream.wait_for(lambda calls: sum("9000" in str(call["body"]) for call in calls) == 2, seconds=5)
            assert product.web.popen is not None
            product.web.popen.send_signal(signal.SIGTERM)
            # As uvicorn answers for a task that it cancels, which is what the other one is.
            told = lasting(wire.answer(), other.answer())
            assert told[0] == told[1]
            assert told[0].startswith(b"HTTP/1.1 500")
            assert wire.answer() == other.answer() == (b"", b"")
            assert product.web.popen.wait(10) == -signal.SIGTERM
    assert outcomes(gateway.acme, slow, 2) == ["client_closed"] * 2


def test_server__stops_while_a_call_is_under_way__answers_it_and_closes(gateway: Gateway, upstream: Any) -> None:
    slow = f"openai/fake:delay,delay_ms=1200,mark={uuid.uuid4().hex[:8]}"
    with gateway.beside(IKIRO_FAST_LANE="1") as product, connected(product) as wire, connected(product) as idle:
        wire.send(request(product.acme, model=slow))
        assert wire.answer()[0].startswith(b"HTTP/1.1 200")
        upstream.reset()
        wire.send(request(product.acme, model=slow))
        upstream.wait_for(lambda calls: len(calls) == 1, seconds=5)
        assert product.web.popen is not None
        product.web.popen.send_signal(signal.SIGTERM)
        said, body = wire.answer()
        assert said.startswith(b"HTTP/1.1 200")
        assert b"connection: close\r\n" in said
        assert b'"choices"' in body
        assert wire.answer() == idle.answer() == (b"", b"")
        assert product.web.popen.wait(10) == -signal.SIGTERM  # which uvicorn raises again once it is done
    assert outcomes(gateway.acme, slow, 2) == ["ok"] * 2
