"""Frames that are kept and followed, on a real store: whole, in order, bounded, and truthful about what is missing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core import ids
from gateway.core.valkey import StoreUnavailable
from gateway.platform.frames import reader, writer
from gateway.platform.frames.errors import StreamGap, StreamLost
from gateway.platform.frames.keys import of_stream, store
from gateway.platform.frames.types import KEPT_S, STREAM_BYTES, End, Head
from tests.harness import free_port

ACME, GLOBEX = ids.uuid7(), ids.uuid7()
HEAD = Head("key:1", "text/event-stream", "brand-default", "ada")


def run(work: Callable[[UUID], Awaitable[Any]]) -> Any:
    """``work`` with a request id of its own, on a loop and connections of its own."""

    async def whole() -> Any:
        async with asyncio.timeout(30):
            try:
                return await work(ids.uuid7())
            finally:
                await store().close()

    return asyncio.run(whole())


async def rest(request_id: UUID, after: int = 0, org: UUID = ACME) -> list[bytes]:
    return [frame async for frame in reader.follow(org, request_id, after=after)]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=200), min_size=1, max_size=40), st.data())
def test_follow__after_any_frame__gives_exactly_the_rest(frames: list[bytes], data: Any) -> None:
    """However the frames fell into batches."""
    pauses = data.draw(st.sets(st.integers(0, len(frames) - 1), max_size=5))

    async def work(request_id: UUID) -> None:
        kept = await writer.begin(ACME, request_id, HEAD)
        for at, frame in enumerate(frames):
            if at in pauses:
                await asyncio.sleep(0.001)
            kept.add(frame)
        await kept.end(End.WHOLE)
        for after in range(len(frames) + 3):
            assert await rest(request_id, after) == frames[after:]
        assert await reader.ended(ACME, request_id) == len(frames) == kept.number
        assert await reader.head(ACME, request_id) == HEAD
        assert await reader.head(GLOBEX, request_id) is None

    run(work)


def test_follow__while_it_is_written__ends_with_it() -> None:
    async def work(request_id: UUID) -> None:
        kept = await writer.begin(ACME, request_id, HEAD)
        kept.add(b"1")
        following = asyncio.create_task(rest(request_id))
        for number in range(2, 20):
            await asyncio.sleep(0.01)
            kept.add(str(number).encode())
        assert not following.done()
        await kept.end(End.WHOLE)
        assert await following == [str(number).encode() for number in range(1, 20)]

    run(work)


def test_writer__with_many_frames_in_a_tick__needs_few_commands() -> None:
    async def work(request_id: UUID) -> None:
        kept = await writer.begin(ACME, request_id, HEAD)
        before = store().commands_sent
        for number in range(900):
            kept.add(b"%d" % number)
        await kept.end(End.WHOLE)
        # The first frame at once, all others with the second; a script that the server does not know costs one more.
        assert store().commands_sent - before <= 3
        assert len(await rest(request_id)) == 900

    run(work)


def test_stream__larger_than_its_bound__forgets_the_oldest_and_says_so() -> None:
    frame = b"x" * (256 * 1024)
    count = 2 * STREAM_BYTES // len(frame)

    async def work(request_id: UUID) -> None:
        kept = await writer.begin(ACME, request_id, HEAD)
        for _ in range(count):
            kept.add(frame)
            await asyncio.sleep(0.02)
        await kept.end(End.WHOLE)
        with pytest.raises(StreamGap) as gap:
            await rest(request_id)
        after = gap.value.extra["resume_after"]
        assert 0 < after < count
        found = await rest(request_id, after)
        assert len(found) == count - after
        assert len(found) * len(frame) <= STREAM_BYTES
        assert await store().execute("MEMORY", "USAGE", of_stream(ACME, request_id).list) < 2 * STREAM_BYTES

    run(work)


def test_worker__gone_without_an_end__is_told_once_its_lease_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(writer, "_lease_ms", lambda: 300)

    async def work(request_id: UUID) -> None:
        kept = await writer.begin(ACME, request_id, HEAD)
        kept.add(b"1")
        following = reader.follow(ACME, request_id)
        assert await anext(following) == b"1"
        for _ in range(4):  # it lives on as long as it is renewed
            await asyncio.sleep(0.15)
            kept.renew()
        began = asyncio.get_running_loop().time()
        with pytest.raises(StreamLost):
            await anext(following)
        assert 0.1 < asyncio.get_running_loop().time() - began < 5

    run(work)


def test_keys__of_a_stream__expire_five_minutes_after_its_end() -> None:
    async def work(request_id: UUID) -> None:
        kept = await writer.begin(ACME, request_id, HEAD)
        kept.add(b"1")
        await kept.end(End.WHOLE)
        keys = of_stream(ACME, request_id)
        left = [await store().execute("TTL", key) for key in (keys.list, keys.who, keys.alive)]
        assert left[2] == -2
        assert all(KEPT_S - 10 < seconds <= KEPT_S for seconds in left[:2])

    run(work)


def test_store__away__keeps_nothing_and_holds_nobody_up(settings: Any) -> None:
    settings.IKIRO_CACHE_URL = f"redis://127.0.0.1:{free_port()}/0"

    async def work(request_id: UUID) -> None:
        kept = await writer.begin(ACME, request_id, HEAD)
        assert not kept.keeping
        kept.add(b"1")
        await kept.end(End.WHOLE)
        with pytest.raises(StoreUnavailable):
            await reader.head(ACME, request_id)

    run(work)


def test_store__lost_in_the_middle__ends_the_keeping_alone() -> None:
    async def work(request_id: UUID) -> None:
        kept = await writer.begin(ACME, request_id, HEAD)
        kept.add(b"1")
        await asyncio.sleep(0.1)
        store()._pipe.drop()
        await asyncio.sleep(0.05)
        kept.add(b"2")
        await kept.end(End.WHOLE)
        assert not kept.keeping
        assert kept.number == 2
        assert await store().execute("XLEN", of_stream(ACME, request_id).list) == 1

    run(work)


def test_room__of_a_process_used_up__keeps_no_more(settings: Any) -> None:
    settings.IKIRO_STREAMS_MB = 0

    async def work(request_id: UUID) -> None:
        kept = await writer.begin(ACME, request_id, HEAD)
        kept.add(b"1")
        await kept.end(End.WHOLE)
        assert not kept.keeping
        assert await reader.head(ACME, request_id) is None

    run(work)
