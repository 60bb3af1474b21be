"""A question's vector: within its deadline or not at all, kept by organization, and never a reason to fail."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.core import ids
from gateway.core.embedder.frames import MODEL_ID
from gateway.platform import embeddings
from gateway.platform.embeddings import choice, services
from gateway.platform.embeddings.errors import EmbeddingUnavailable
from tenants.rules import OrgSettings
from tenants.types import Organization, OrgRef
from tests.embedding import Embedder
from tests.harness import eventually


def organization(**chosen: Any) -> Organization:
    """One that only this process knows: nothing here asks a database."""
    ref = OrgRef(ids.uuid7(), "t_nowhere")
    made = datetime(2026, 1, 1, tzinfo=UTC)
    return Organization(ref, "x", "X", "business", "ready", None, {}, {}, 1, made, settings=OrgSettings(**chosen))


@pytest.fixture
def own(embedder: Embedder, tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Embedder]:
    """An embedder of the test's own that this process asks."""
    embedder.ready()
    process = Embedder({**embedder.env, "IKIRO_EMBEDDER_SOCKET": str(tmp_path / "e.sock")}).start()
    settings.IKIRO_EMBEDDER_SOCKET = str(process.socket)
    monkeypatch.setattr(services, "_kept", services._Kept())
    try:
        yield process.ready()
    finally:
        process.popen.send_signal(signal.SIGCONT)
        process.kill()


async def patiently(of: Organization, text: str) -> embeddings.Embedded:
    """A vector, on a machine that may be too busy for the first deadlines."""
    for _ in range(400):
        found = await embeddings.query(of, text)
        if found is not None:
            return found
        await asyncio.sleep(0.05)
    raise AssertionError("no vector in 20 s")


def test_query__the_cards_example__is_near_what_it_should_be_and_names_its_space(own: Embedder) -> None:
    async def story() -> tuple[embeddings.Embedded, ...]:
        acme = organization()
        said = "That is a happy person", "That is a very happy person", "Today is a sunny day"
        found = [await patiently(acme, text) for text in said]
        await embeddings.close()
        return tuple(found)

    first, near, far = asyncio.run(story())
    assert {one.model_id for one in (first, near, far)} == {MODEL_ID}
    assert embeddings.similarity(first.vector, near.vector) == pytest.approx(0.943, abs=0.02)
    assert embeddings.similarity(first.vector, far.vector) == pytest.approx(0.257, abs=0.02)
    assert embeddings.similarity(first.vector, first.vector) == pytest.approx(1.0, abs=1e-5)


def test_query__embedder_frozen__is_none_at_the_deadline_and_what_is_kept_still_answers(own: Embedder) -> None:
    acme, globex = organization(), organization()

    async def story() -> list[float]:
        kept = await patiently(acme, "asked before")
        own.popen.send_signal(signal.SIGSTOP)
        stat = Path(f"/proc/{own.popen.pid}/stat")
        eventually(lambda: stat.read_text().rpartition(")")[2].split()[0] == "T")
        took = []
        for at in range(5):
            began = time.monotonic()
            assert await embeddings.query(acme, f"never asked {at}") is None
            took.append(time.monotonic() - began)
        assert await embeddings.query(acme, "  asked \n before ") == kept
        assert await embeddings.query(globex, "asked before") is None  # what another organization asked is its own
        await embeddings.close()
        return took

    took = asyncio.run(story())
    # 50 ms, and what a busy machine takes to wake somebody; after three in a row nobody waits any more.
    assert all(0.04 < one < 0.25 for one in took[:3])
    assert all(one < 0.03 for one in took[3:])


def test_query__nobody_embeds_here__is_none_at_once(settings: Any) -> None:
    settings.IKIRO_EMBEDDER_SOCKET = ""
    assert embeddings.active_model(organization()) is None
    assert asyncio.run(embeddings.query(organization(), "anything")) is None
    with pytest.raises(EmbeddingUnavailable, match="No embedder is configured"):
        embeddings.texts_now(organization(), ["anything"])


def test_query__nothing_but_blanks__is_none(own: Embedder) -> None:
    assert asyncio.run(embeddings.query(organization(), " \n\t ")) is None


def test_kept__more_than_there_is_room_for__lets_the_oldest_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "_MOST_KEPT", 2)
    kept, owner = services._Kept(), ids.uuid7()
    keys = [(owner, MODEL_ID, bytes([at])) for at in range(3)]
    kept.put(keys[0], (0.0,))
    kept.put(keys[1], (1.0,))
    assert kept.get(keys[0]) == (0.0,)
    kept.put(keys[2], (2.0,))
    assert [kept.get(key) for key in keys] == [(0.0,), None, (2.0,)]


@pytest.mark.parametrize(
    ("chosen", "space"),
    [
        ({}, MODEL_ID),
        ({"embedding_model": "mine/small"}, "mine/small"),
        ({"embedding_model": "mine/small", "embedding_dimensions": 256}, "mine/small#256"),
    ],
    ids=["built-in", "endpoint", "endpoint-with-dimensions"],
)
def test_space__of_a_choice__tells_models_and_dimensions_apart(
    chosen: dict[str, Any], space: str, settings: Any
) -> None:
    settings.IKIRO_EMBEDDER_SOCKET = "/run/e.sock"
    assert embeddings.active_model(organization(**chosen)) == space
    found = choice.choice_of(organization(**chosen))
    assert found is not None
    assert found.endpoint == chosen.get("embedding_model")
