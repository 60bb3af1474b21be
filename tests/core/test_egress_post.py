"""Prepared calls: bounded, kept apart and let go of as every other call is."""

from __future__ import annotations

import asyncio

import pytest

from gateway.core import egress
from gateway.core.egress import pool
from tests.core.egress_support import OK, QUICK, answering, serving


def post(root: str, *, timeouts: egress.Timeouts = QUICK, **more) -> egress.Post:
    return egress.Post(f"{root}/v1?a=b", {"authorization": "Bearer x"}, trusted=True, timeouts=timeouts, **more)


class Told:
    """Somebody who sends without waiting in a task, so that a test can."""

    def __init__(self):
        self.end = asyncio.get_running_loop().create_future()

    def answered(self, response, body):
        self.end.set_result((response, body))

    def failed(self, error):
        self.end.set_exception(error)


async def awaited(prepared: egress.Post, body: bytes = b"{}") -> tuple[int, bytes]:
    response, data = await prepared.whole(body, most_of_error=8)
    return response.status, data


async def told(prepared: egress.Post, body: bytes = b"{}") -> tuple[int, bytes]:
    """Likewise, but sent without a task where a connection is open."""
    sender = Told()
    sent = prepared.send(egress.current_pool(), body, sender, most_of_error=8)
    if sent is None:
        return await awaited(prepared, body)
    try:
        response, data = await sender.end
    except egress.NotSeen:
        return await awaited(prepared, body)
    except asyncio.CancelledError:
        sent.drop()
        raise
    return response.status, data


@pytest.fixture(params=[awaited, told])
def whole(request):
    return request.param


def test_post__in_a_row__send_the_same_head_over_one_connection(whole):
    heads = []

    async def handler(reader, writer, head):
        heads.append(head)
        length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
        assert await reader.readexactly(length) == b"x" * length
        writer.write(OK)

    async def scene():
        async with serving(handler) as (root, seen):
            prepared = post(root)
            answers = [await whole(prepared, b"x" * size) for size in (2, 0, 70_000)]
            async with egress.open(
                "POST", f"{root}/v1?a=b", {"authorization": "Bearer x"}, b"xx", trusted=True
            ) as response:
                assert await response.read() == b"ok"
            return answers, seen

    assert asyncio.run(scene()) == ([(200, b"ok")] * 3, {"connections": 1, "requests": 4})
    assert heads[0] == heads[3]  # what is prepared is what is sent otherwise


def test_post__two_hundred_at_once__nobody_gets_anothers_answer(whole):
    async def handler(reader, writer, head):
        length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
        said = await reader.readexactly(length)
        await asyncio.sleep(0.001 * (length % 5))
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        writer.write(b"%x\r\n%s\r\n0\r\n\r\n" % (length, said))

    async def scene():
        async with serving(handler) as (root, seen):
            # More at once than a server lets wait for it; who is not let in tries again, a second later.
            prepared = post(root, timeouts=egress.Timeouts(connect=30, first_byte=30, stall=30, total=60))
            for _ in range(3):
                bodies = [b"%d" % at * (1 + at % 7) for at in range(200)]
                answers = await asyncio.gather(*(whole(prepared, body) for body in bodies))
                assert [data for _, data in answers] == bodies
            return seen["connections"]

    assert asyncio.run(scene()) <= 200


def test_post__kept_connection_closed_as_we_write__is_replaced_once(whole):
    async def scene():
        turn = 0

        async def handler(reader, writer, head):
            nonlocal turn
            turn += 1
            await reader.readexactly(2)
            if turn == 2:
                writer.transport.abort()
            else:
                writer.write(OK)

        async with serving(handler) as (root, seen):
            prepared = post(root)
            return [await whole(prepared) for _ in range(2)], seen

    assert asyncio.run(scene()) == ([(200, b"ok")] * 2, {"connections": 2, "requests": 3})


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok", egress.UpstreamStalled),
        (b"HTTP/1.1 500 Oh\r\ncontent-length: 9\r\n\r\n123456789", egress.UpstreamBroken),
        (b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\nok", egress.UpstreamBroken),
        (b"nonsense\r\n\r\n", egress.UpstreamBroken),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 40\r\n\r\n" + b"y" * 40, egress.UpstreamBroken),
    ],
    ids=["stalled", "long-error", "compressed", "nonsense", "too-large"],
)
@pytest.mark.parametrize("warm", [False, True])
def test_post__answer_that_is_none__raises_and_what_is_left_of_it_reaches_nobody(raw, error, warm, whole):
    async def scene():
        answers = [OK, raw] if warm else [raw]

        async def handler(reader, writer, head):
            await reader.readexactly(2)
            writer.write(answers.pop(0) if answers else OK)

        async with serving(handler) as (root, seen):
            prepared = post(root, max_body=20)
            if warm:
                assert await whole(prepared) == (200, b"ok")
            with pytest.raises(error):
                await whole(prepared)
            assert await whole(prepared) == (200, b"ok")
            return seen["connections"]

    assert asyncio.run(scene()) in (1, 2)  # one where the answer that was no good was complete


def test_pool__connections_idle_for_long__are_closed_and_the_others_are_not(monkeypatch, whole):
    monkeypatch.setattr(pool, "_IDLE_S", 0.2)

    async def scene():
        async with serving(answering(OK)) as (root, seen):
            prepared = post(root)
            await asyncio.gather(whole(prepared, b""), whole(prepared, b""))
            for _ in range(6):  # one of the two goes on being used
                await asyncio.sleep(0.08)
                assert await whole(prepared, b"") == (200, b"ok")
            (idle,) = pool.current_pool()._idle.values()
            assert len(idle) == 1
            await asyncio.sleep(0.5)
            assert pool.current_pool()._idle == {}
            assert await whole(prepared, b"") == (200, b"ok")
            return seen["connections"]

    assert asyncio.run(scene()) == 3


def test_post__caller_gone__upstream_sees_it(whole):
    async def scene():
        gone = asyncio.Event()
        asked = asyncio.Event()

        async def handler(reader, writer, head):
            await reader.readexactly(2)
            if not asked.is_set():
                writer.write(OK)
                asked.set()
                return
            assert await reader.read() == b""
            gone.set()

        async with serving(handler) as (root, _):
            prepared = post(root)
            await whole(prepared)
            task = asyncio.create_task(whole(prepared))
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.wait_for(gone.wait(), 1)

    asyncio.run(scene())


@pytest.mark.parametrize("headers", [{"host": "x"}, {"a b": "x"}, {"a": "x\r\ny: z"}])
def test_post__header_that_is_not_ours_to_send__is_refused_when_it_is_prepared(headers):
    with pytest.raises(egress.EgressRefused):
        egress.Post("http://127.0.0.1:1/", headers, trusted=True, timeouts=QUICK)


def test_post__private_address_that_is_not_trusted__is_refused(whole):
    async def scene():
        async with serving(answering(OK)) as (root, seen):
            prepared = egress.Post(root, {}, trusted=False, timeouts=QUICK)
            with pytest.raises(egress.EgressRefused):
                await whole(prepared)
            return seen["connections"]

    assert asyncio.run(scene()) == 0
