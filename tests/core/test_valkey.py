"""The hot path's connection against a real server: order, batching, cancellation, scripts, time limits, outages."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from uuid import UUID

import pytest

from gateway.core.errors import Unavailable
from gateway.core.valkey import CommandFailed, Script, StoreUnavailable, Valkey, connection, shard_of, sync_client
from gateway.core.valkey.address import parse
from gateway.core.valkey.packing import pack
from gateway.core.valkey.shards import prefix
from ikiro.stack.testing import TestStack

DOUBLE = Script("double", "return tonumber(ARGV[1]) * 2")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestStack]:
    stack = TestStack(tmp_path_factory.mktemp("valkey") / "state")
    stack.valkey.start()
    yield stack
    stack.remove()


@pytest.fixture
def url(stack: TestStack) -> str:
    url = stack.env["IKIRO_REDIS_URL"]
    with sync_client(url) as client:
        client.flushdb()
    return url


def within(url: str, work: Callable[[Valkey], Awaitable[None]], **options: float) -> None:
    """Run ``work`` with a connection of its own and hang up afterwards."""

    async def run() -> None:
        store = Valkey(url, **options)  # type: ignore[arg-type]
        try:
            await work(store)
        finally:
            await store.close()

    asyncio.run(run())


def test_execute__a_thousand_at_once__each_gets_its_own_reply(url: str) -> None:
    async def work(store: Valkey) -> None:
        replies = await asyncio.gather(*(store.execute("ECHO", f"n{number}") for number in range(1000)))
        assert replies == [f"n{number}".encode() for number in range(1000)]
        assert store.commands_sent == 1000

    within(url, work)


def test_execute__commands_of_one_tick__are_one_write(url: str) -> None:
    async def work(store: Valkey) -> None:
        await store.ready()
        pipe = store._pipe
        assert pipe is not None
        written: list[int] = []
        transport = pipe._transport
        assert transport is not None

        class Counting:
            def write(self, data: bytes) -> None:
                written.append(len(data))
                transport.write(data)

        pipe._transport = Counting()  # type: ignore[assignment]
        await asyncio.gather(*(store.execute("PING") for _ in range(50)))
        pipe._transport = transport
        assert len(written) == 1

    within(url, work)


def test_execute__cancelled_waiters__do_not_shift_the_replies_of_the_others(url: str) -> None:
    async def work(store: Valkey) -> None:
        await store.ready()
        tasks = [asyncio.ensure_future(store.execute("ECHO", str(number))) for number in range(300)]
        await asyncio.sleep(0)
        for task in tasks[::3]:
            task.cancel()
        replies = await asyncio.gather(*tasks, return_exceptions=True)
        for number, reply in enumerate(replies):
            if number % 3 == 0:
                assert isinstance(reply, asyncio.CancelledError)
            else:
                assert reply == str(number).encode()
        assert await store.execute("ECHO", "after") == b"after"

    within(url, work)


def test_script__unknown_to_the_server__is_loaded_and_answers_in_order(url: str) -> None:
    async def work(store: Valkey) -> None:
        assert await store.script(DOUBLE, [], [21]) == 42
        assert await asyncio.gather(*(store.script(DOUBLE, [], [n]) for n in range(5))) == [0, 2, 4, 6, 8]
        before = store.commands_sent
        assert await store.script(DOUBLE, [], [3]) == 6
        assert store.commands_sent == before + 1
        await store.execute("SCRIPT", "FLUSH")
        replies = await asyncio.gather(
            store.script(DOUBLE, [], [1]), store.execute("ECHO", "x"), store.script(DOUBLE, [], [2])
        )
        assert replies == [2, b"x", 4]

    within(url, work)


def test_script__unknown_to_the_server_and_waiter_gone__is_not_run(url: str) -> None:
    push = Script("push", "return redis.call('RPUSH', KEYS[1], ARGV[1])")

    async def work(store: Valkey) -> None:
        await store.ready()
        task = asyncio.ensure_future(store.script(push, ["list"], ["given up"]))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert await store.script(push, ["list"], ["kept"]) == 1
        assert await store.execute("LRANGE", "list", 0, -1) == [b"kept"]

    within(url, work)


class Heard:
    """What somebody who does not wait in a task is told."""

    def __init__(self) -> None:
        self.replies: list[object] = []
        self.errors: list[BaseException] = []

    def came(self, reply: object) -> None:
        self.replies.append(reply)

    def lost(self, error: BaseException) -> None:
        self.errors.append(error)


def test_tell__among_those_who_wait__each_is_told_its_own_and_when_it_was_written(url: str) -> None:
    async def work(store: Valkey) -> None:
        await store.ready()
        heard, order = Heard(), []
        store.tell_packed(pack(("ECHO", "first")), heard, lambda: order.append("written"))
        waiting = store.submit("ECHO", "second")
        store.tell_packed(pack(("NOTHING",)), heard)
        store.tell_packed(pack(("ECHO", "third")), heard)
        assert order == []
        assert await waiting == b"second"
        order.append("answered")
        await asyncio.sleep(0.05)
        assert heard.replies == [b"first", b"third"]
        assert [type(error) for error in heard.errors] == [CommandFailed]
        assert order == ["written", "answered"]

    within(url, work)


def test_tell__connection_lost_before_it_was_written__says_so_once(url: str) -> None:
    async def work(store: Valkey) -> None:
        await store.ready()
        heard, written = Heard(), []
        store.tell_packed(pack(("ECHO", "x")), heard, lambda: written.append(1))
        assert store._pipe is not None
        store._pipe.drop()
        await asyncio.sleep(0.05)
        assert (heard.replies, len(heard.errors), written) == ([], 1, [1])
        assert isinstance(heard.errors[0], StoreUnavailable)
        with pytest.raises(StoreUnavailable):
            store.tell_packed(pack(("ECHO", "x")), heard)

    within(url, work)


def test_execute__refused_by_the_server__is_an_error_of_ours_and_the_next_one_works(url: str) -> None:
    async def work(store: Valkey) -> None:
        await store.execute("SET", "text", "x")
        with pytest.raises(CommandFailed, match="WRONGTYPE"):
            await store.execute("HGET", "text", "field")
        assert await store.execute("GET", "text") == b"x"

    within(url, work)


def test_execute__more_waiting_than_the_bound__is_refused_at_once(url: str) -> None:
    async def work(store: Valkey) -> None:
        await store.ready()
        replies = await asyncio.gather(*(store.execute("PING") for _ in range(15)), return_exceptions=True)
        assert [type(reply) for reply in replies] == [bytes] * 10 + [StoreUnavailable] * 5
        refused = [reply for reply in replies if isinstance(reply, StoreUnavailable)]
        assert not any(reply.maybe_applied for reply in refused)
        assert await store.execute("PING") == b"PONG"

    within(url, work, max_pending=10)


def test_execute__database_in_the_url__is_selected(url: str) -> None:
    async def work(store: Valkey) -> None:
        await store.execute("SET", "where", "five")

    within(url.replace("db=0", "db=5"), work)
    with sync_client(url.replace("db=0", "db=5")) as five, sync_client(url) as zero:
        assert five.get("where") == b"five"
        assert zero.get("where") is None


def test_execute__password_refused__is_unavailable_and_never_sent_further(url: str) -> None:
    async def work(store: Valkey) -> None:
        with pytest.raises(StoreUnavailable) as caught:
            await store.execute("SET", "reached", "yes")
        assert not caught.value.maybe_applied
        assert "wrong" not in caught.value.detail

    within(url.replace("unix://", "unix://:wrong@localhost"), work)
    with sync_client(url) as client:
        assert client.get("reached") is None


def test_connection__asked_twice_on_one_loop__is_the_same_and_another_on_the_next(url: str) -> None:
    async def one() -> Valkey:
        store = connection(url)
        assert connection(url) is store
        await store.execute("PING")
        await store.close()
        return store

    assert asyncio.run(one()) is not asyncio.run(one())


@pytest.mark.outage
def test_execute__server_paused__fails_after_the_time_limit_and_stays_in_step(url: str, stack: TestStack) -> None:
    async def work(store: Valkey) -> None:
        assert await store.execute("PING") == b"PONG"
        stack.valkey.pause()
        try:
            started = time.monotonic()
            replies = await asyncio.gather(*(store.execute("ECHO", str(n)) for n in range(20)), return_exceptions=True)
            took = time.monotonic() - started
        finally:
            stack.valkey.resume()
        assert all(isinstance(reply, StoreUnavailable) and reply.maybe_applied for reply in replies)
        assert 0.25 <= took < 0.6
        assert await store.execute("ECHO", "mine") == b"mine"

    within(url, work, timeout_s=0.3)


@pytest.mark.outage
def test_execute__server_paused_for_long__the_connection_is_given_up_and_a_new_one_heals(
    url: str, stack: TestStack
) -> None:
    async def work(store: Valkey) -> None:
        await store.execute("PING")
        first = store._pipe
        stack.valkey.pause()
        try:
            with pytest.raises(StoreUnavailable):
                await store.execute("PING")
            await asyncio.sleep(0.6)
            assert not store.connected
        finally:
            stack.valkey.resume()
        await eventually(store)
        assert store._pipe is not first

    within(url, work, timeout_s=0.1)


@pytest.mark.outage
def test_execute__server_paused_under_traffic__the_breaker_opens_and_a_probe_closes_it(
    url: str, stack: TestStack
) -> None:
    async def work(store: Valkey) -> None:
        await store.execute("PING")
        stack.valkey.pause()
        started, took = time.monotonic(), []
        try:
            while time.monotonic() - started < 1.5:
                asked = time.monotonic()
                with pytest.raises(StoreUnavailable):
                    await store.execute("PING")
                took.append(time.monotonic() - asked)
                await asyncio.sleep(0.005)
        finally:
            stack.valkey.resume()
        # Only the first few and the probes waited at all.
        assert sum(one > 0.02 for one in took) < 25
        assert sum(one < 0.005 for one in took) > 50
        async with asyncio.timeout(5):
            while True:
                try:
                    assert await store.execute("ECHO", "back") == b"back"
                    break
                except StoreUnavailable:
                    await asyncio.sleep(0.02)

    within(url, work, timeout_s=0.05)


@pytest.mark.outage
def test_execute__server_killed__fails_fast_and_heals_within_a_second_of_its_return(url: str, stack: TestStack) -> None:
    async def work(store: Valkey) -> None:
        await store.execute("SET", "kept", "yes")
        stack.valkey.kill()
        await asyncio.sleep(0.05)
        for _ in range(50):
            started = time.monotonic()
            with pytest.raises(Unavailable) as caught:
                await store.execute("PING")
            assert caught.value.code == "store_unavailable"
            assert caught.value.http_status == 503
            assert time.monotonic() - started < 0.1
        stack.valkey.start()
        assert await eventually(store) < 1.5
        assert await store.execute("GET", "kept") == b"yes"

    within(url, work)


@pytest.mark.outage
def test_execute__connection_lost_in_flight__the_waiter_learns_that_it_may_have_been_applied(
    url: str, stack: TestStack
) -> None:
    async def work(store: Valkey) -> None:
        await store.ready()
        stack.valkey.pause()
        waiting = asyncio.ensure_future(store.execute("INCR", "n"))
        await asyncio.sleep(0.05)
        stack.valkey.kill()
        with pytest.raises(StoreUnavailable) as caught:
            await waiting
        assert caught.value.maybe_applied
        stack.valkey.start()

    within(url, work)


@pytest.mark.outage
def test_keep_connected__server_comes_back__reconnects_without_a_command(url: str, stack: TestStack) -> None:
    async def work(store: Valkey) -> None:
        keeper = asyncio.ensure_future(store.keep_connected())
        await store.ready()
        stack.valkey.kill()
        await asyncio.sleep(0.1)
        assert not store.connected
        stack.valkey.start()
        await asyncio.sleep(1.5)
        assert store.connected
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)

    within(url, work)


async def eventually(store: Valkey) -> float:
    """Seconds until the store answers again."""
    started = time.monotonic()
    while time.monotonic() - started < 10:
        try:
            await store.execute("PING")
            return time.monotonic() - started
        except Unavailable:
            await asyncio.sleep(0.02)
    raise AssertionError("never came back")


def test_execute__something_that_is_no_store__is_unavailable(tmp_path: Path) -> None:
    async def run() -> None:
        async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(10)
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            await writer.drain()
            writer.close()

        server = await asyncio.start_unix_server(babble, str(tmp_path / "s"))
        store = Valkey(f"unix://{tmp_path}/s", timeout_s=0.5)
        with pytest.raises(StoreUnavailable):
            await store.execute("PING")
        await store.close()
        server.close()
        await server.wait_closed()

    asyncio.run(run())


def test_parse__tcp_with_user_password_and_database__all_found_and_password_not_shown() -> None:
    address = parse("redis://me:s%40cret@cache.internal:6380/7")
    assert (address.host, address.port, address.db) == ("cache.internal", 6380, 7)
    assert (address.username, address.password, address.path) == ("me", "s@cret", None)
    assert "cret" not in repr(address) + str(address)
    assert parse("unix:///run/v.sock?db=3").path == "/run/v.sock"
    assert parse("unix:///run/v.sock?db=3").db == 3


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("rediss://:secret@h", "not supported"),
        ("http://:secret@h", "starts with"),
        ("unix://", "path"),
        ("redis://:secret@h/x", "numbers"),
        ("redis://:secret@h:port/1", "numbers"),
    ],
)
def test_parse__unusable_url__says_why_without_repeating_it(url: str, says: str) -> None:
    with pytest.raises(ValueError, match=says) as caught:
        parse(url)
    assert "secret" not in str(caught.value)


def test_shard_of__any_organization__is_stable_and_named_with_two_digits() -> None:
    assert shard_of(UUID("01890a5d-ac96-774b-bcce-b302099a8057")) == 4
    assert prefix(7) == "adm:{s07}:"
