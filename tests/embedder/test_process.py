"""The embedder's process over its socket: it answers, it stays small, and no peer can hold it up or bring it down."""

from __future__ import annotations

import signal
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.core.embedder.frames import MAX_BODY, MAX_TEXTS, Frame, pack, pack_texts, read_vectors
from tests.embedding import Embedder, Peer, header
from tests.harness import eventually


@pytest.fixture
def own(embedder: Embedder, tmp_path: Path) -> Iterator[Embedder]:
    """An embedder of the test's own, on the graph that is there already."""
    embedder.ready()
    process = Embedder({**embedder.env, "IKIRO_EMBEDDER_SOCKET": str(tmp_path / "e.sock")}).start()
    try:
        yield process.ready()
    finally:
        process.popen.send_signal(signal.SIGCONT)
        process.kill()


def test_questions__many_at_once__are_answered_each_by_its_number(embedder: Embedder) -> None:
    with Peer(embedder.ready().socket) as peer:
        peer.send(b"".join(pack_texts(Frame.BATCH, number, [f"number {number}"] * 2) for number in range(5, 9)))
        peer.send(pack_texts(Frame.QUERY, 77, ["number 7"]))
        answers = {}
        for _ in range(5):
            kind, number, body = peer.receive()
            assert kind is Frame.VECTORS
            answers[number] = read_vectors(body, 1 if number == 77 else 2)
    assert sorted(answers) == [5, 6, 7, 8, 77]
    assert sum(a * b for a, b in zip(answers[77][0], answers[7][1], strict=True)) == pytest.approx(1.0, abs=0.01)
    assert answers[5][0] == answers[5][1]


def test_query__while_a_batch_is_computed__does_not_wait_for_it(embedder: Embedder) -> None:
    with Peer(embedder.ready().socket) as busy, Peer(embedder.socket) as peer:
        busy.send(b"".join(pack_texts(Frame.BATCH, number, ["long " * 250] * MAX_TEXTS) for number in range(2)))
        peer.send(pack_texts(Frame.QUERY, 1, ["short"]))
        assert peer.receive()[0] is Frame.VECTORS
        busy.connection.setblocking(False)
        with pytest.raises(BlockingIOError):
            busy.connection.recv(1)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (header(MAX_BODY + 1, 1, Frame.QUERY), "is none of ours"),
        (header(4, 1, 99), "is none of ours"),
        (pack(Frame.VECTORS, 1, b"x"), "VECTORS is no question"),
    ],
    ids=["oversized", "unknown", "not-a-question"],
)
def test_peer__that_does_not_speak_the_protocol__is_told_and_cut_off(
    embedder: Embedder, said: bytes, told: str
) -> None:
    with Peer(embedder.ready().socket) as rude, Peer(embedder.socket) as other:
        rude.send(said)
        kind, _, body = rude.receive()
        assert (kind, told in body.decode()) == (Frame.REFUSED, True)
        assert rude.closed()
        other.send(pack_texts(Frame.QUERY, 1, ["still there?"]))
        assert other.receive()[0] is Frame.VECTORS


def test_question__that_is_no_list_of_texts__is_refused_and_the_connection_stays(embedder: Embedder) -> None:
    with Peer(embedder.ready().socket) as peer:
        for body in (b"[", b"{}", b"[1]", b"[]", b'["a",' * 9, str(["a"] * 65).replace("'", '"').encode()):
            peer.send(pack(Frame.QUERY, 3, body))
            assert peer.receive()[:2] == (Frame.REFUSED, 3)
        peer.send(pack_texts(Frame.QUERY, 4, ["now a text"]))
        assert peer.receive()[:2] == (Frame.VECTORS, 4)


def test_peer__that_never_ends_its_frame__does_not_hold_up_the_others(embedder: Embedder) -> None:
    with Peer(embedder.ready().socket) as slow, Peer(embedder.socket) as other:
        slow.send(header(100, 1, Frame.QUERY) + b'["a')
        other.send(pack_texts(Frame.QUERY, 1, ["meanwhile"]))
        assert other.receive()[0] is Frame.VECTORS
        began = time.monotonic()
        assert slow.closed()
        assert time.monotonic() - began < 15


def test_peer__that_asks_too_much_at_once__is_told_that_it_is_busy(own: Embedder) -> None:
    with Peer(own.socket) as peer:
        peer.send(b"".join(pack_texts(Frame.BATCH, number, ["long " * 200] * 8) for number in range(40)))
        kinds = [peer.receive()[0] for _ in range(40)]
    assert set(kinds) == {Frame.BUSY, Frame.VECTORS}
    assert kinds.count(Frame.VECTORS) >= 16


def test_peer__that_does_not_read_its_answers__is_cut_off_while_others_are_answered(own: Embedder) -> None:
    with Peer(own.socket) as deaf, Peer(own.socket) as other:
        refused = pack(Frame.QUERY, 1, b"[]" + b" " * 40)
        with pytest.raises(OSError, match=r"Broken pipe|reset"):
            for _ in range(4_000):
                deaf.send(refused * 100)
        other.send(pack_texts(Frame.QUERY, 1, ["fine here"]))
        assert other.receive()[0] is Frame.VECTORS
    assert own.resident_mb() < 450
    assert "does not read its answers" in own.output


def test_second_embedder__on_the_same_socket__refuses_and_leaves_the_first_alone(own: Embedder) -> None:
    second = Embedder(own.env).start()
    assert second.popen.wait(60) == 1
    assert "Another embedder answers on" in second.output
    with Peer(own.socket):
        assert own.popen.poll() is None


def test_embedder__killed__starts_again_on_the_socket_that_it_left(own: Embedder) -> None:
    own.kill()
    assert own.socket.exists()
    own.start().ready()
    with Peer(own.socket) as peer:
        peer.send(pack_texts(Frame.QUERY, 1, ["back again"]))
        (vector,) = read_vectors(peer.receive()[2], 1)
    assert sum(value * value for value in vector) == pytest.approx(1.0, abs=1e-4)


def test_embedder__told_to_stop__ends_at_once_and_takes_its_socket_away(own: Embedder) -> None:
    with Peer(own.socket) as peer:
        peer.send(pack_texts(Frame.BATCH, 1, ["long " * 250] * MAX_TEXTS))
        own.popen.send_signal(signal.SIGTERM)
        assert own.popen.wait(10) == 0
        assert peer.closed()
    assert not own.socket.exists()


def test_embedder__frozen_with_questions_waiting__throws_the_old_ones_away(own: Embedder) -> None:
    with Peer(own.socket) as peer:
        own.popen.send_signal(signal.SIGSTOP)
        eventually(lambda: Path(f"/proc/{own.popen.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T")
        for number in range(20):
            peer.send(pack_texts(Frame.QUERY, number, [f"waiting {number}"]))
        own.popen.send_signal(signal.SIGCONT)
        assert {peer.receive()[1] for _ in range(20)} == set(range(20))


def test_embedder__after_long_batches__stays_within_its_memory(embedder: Embedder) -> None:
    with Peer(embedder.ready().socket, timeout=90) as peer:
        peer.send(pack_texts(Frame.BATCH, 1, ["word " * 300] * MAX_TEXTS))
        kind, _, body = peer.receive()
    assert (kind, len(body)) == (Frame.VECTORS, MAX_TEXTS * 384 * 4)
    assert embedder.resident_mb() < 450
    assert struct.unpack_from("<f", body)[0] == struct.unpack_from("<f", body, 384 * 4)[0]
