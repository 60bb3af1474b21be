"""Asking the embedder from an event loop: within the deadline or not at all, and at no cost while it is away."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.core import workloop
from gateway.core.embedder.client import Client, EmbedderAway
from gateway.core.embedder.frames import MODEL_ID, FrameError, Reader, check_hello, hello
from tests.embedding import Embedder
from tests.harness import eventually

PATIENT = 30.0


def dropped(vector: tuple[float, ...]) -> None:
    raise AssertionError("nobody was late")


@pytest.fixture
def own(embedder: Embedder, tmp_path: Path) -> Iterator[Embedder]:
    embedder.ready()
    process = Embedder({**embedder.env, "IKIRO_EMBEDDER_SOCKET": str(tmp_path / "e.sock")}).start()
    try:
        yield process.ready()
    finally:
        process.popen.send_signal(signal.SIGCONT)
        process.kill()


def freeze(process: Embedder) -> None:
    process.popen.send_signal(signal.SIGSTOP)
    eventually(lambda: Path(f"/proc/{process.popen.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T")


def test_query__many_at_once__share_one_connection_and_each_gets_its_own(own: Embedder) -> None:
    async def ask() -> list[tuple[float, ...]]:
        client = Client(str(own.socket))
        try:
            wanted = [client.query(f"text {at % 4}", deadline_s=PATIENT, late=dropped) for at in range(40)]
            return await asyncio.gather(*wanted)
        finally:
            await client.close()

    found = asyncio.run(ask())
    assert len(set(found)) == 4
    assert all(found[at] == found[at % 4] for at in range(40))


def test_batch__more_than_a_frame_holds__comes_back_in_order(own: Embedder) -> None:
    texts = [f"number {at % 7}" for at in range(150)]

    async def ask() -> list[tuple[float, ...]]:
        client = Client(str(own.socket))
        try:
            return await client.batch(texts)
        finally:
            await client.close()

    found = asyncio.run(ask())
    assert len(found) == 150
    assert len(set(found)) == 7
    assert found[149] == found[149 % 7]


def test_query__embedder_frozen__gives_up_at_the_deadline_then_costs_nothing_and_recovers(own: Embedder) -> None:
    async def story() -> tuple[list[float], list[tuple[float, ...]]]:
        client, late, took = Client(str(own.socket)), [], []
        await client.query("warm", deadline_s=PATIENT, late=dropped)
        freeze(own)
        for at in range(6):
            began = time.monotonic()
            with pytest.raises(EmbedderAway):
                await client.query(f"frozen {at}", deadline_s=0.05, late=late.append)
            took.append(time.monotonic() - began)
        own.popen.send_signal(signal.SIGCONT)
        while True:
            try:
                await client.query("thawed", deadline_s=PATIENT, late=dropped)
            except EmbedderAway:
                await asyncio.sleep(0.05)
            else:
                await client.close()
                return took, late

    took, late = asyncio.run(story())
    # Three wait for their deadline and no longer (the loop has a bound to be woken late), the rest not at all.
    assert all(0.04 < one < 0.25 for one in took[:3])
    assert all(one < 0.03 for one in took[3:])
    assert all(len(vector) == 384 for vector in late)


def test_query__nobody_there__fails_at_once_and_works_when_somebody_is(own: Embedder) -> None:
    own.kill()

    async def story() -> float:
        client = Client(str(own.socket))
        began = time.monotonic()
        for _ in range(200):
            with pytest.raises(EmbedderAway):
                await client.query("anybody?", deadline_s=0.05, late=dropped)
        spent = time.monotonic() - began
        own.start().ready()
        while True:
            try:
                await client.query("anybody?", deadline_s=PATIENT, late=dropped)
            except EmbedderAway:
                await asyncio.sleep(0.05)
            else:
                await client.close()
                return spent

    assert asyncio.run(story()) < 1.0


def test_query__embedder_killed_while_asked__is_away_and_not_forever(own: Embedder) -> None:
    async def story() -> None:
        client = Client(str(own.socket))
        await client.query("warm", deadline_s=PATIENT, late=dropped)
        freeze(own)
        asked = asyncio.ensure_future(client.query("then killed", deadline_s=PATIENT, late=dropped))
        await asyncio.sleep(0)
        own.kill()
        with pytest.raises(EmbedderAway, match=r"closed the connection|reset"):
            await asked

    asyncio.run(story())


def test_client__on_another_loop__begins_anew(own: Embedder) -> None:
    client = Client(str(own.socket))
    first = workloop.wait_for(client.query("the same", deadline_s=PATIENT, late=dropped))

    async def again() -> tuple[float, ...]:
        try:
            return await client.query("the same", deadline_s=PATIENT, late=dropped)
        finally:
            await client.close()

    assert asyncio.run(again()) == first


def test_hello__of_another_model__is_refused() -> None:
    ((kind, _, body),) = list(Reader().feed(hello().replace(MODEL_ID.encode(), b"x" * len(MODEL_ID))))
    with pytest.raises(FrameError, match="not the embedder of this version"):
        check_hello(kind, body)
