"""What is stored gets its vector off the request's way: once, also when it is done twice, stopped or forgotten
meanwhile, and each organization its own."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from django.db import connection, connections, transaction

from gateway.core.egress import UpstreamTimeout
from gateway.core.embedder.frames import MODEL_ID
from gateway.knowledge.memory import embedding, embedding_rows, services
from gateway.knowledge.memory.types import Memory
from gateway.platform import embeddings
from gateway.platform.embeddings.errors import EmbeddingRefused
from gateway.platform.events import selectors as events
from gateway.platform.outbox import selectors as outbox
from gateway.platform.outbox.types import Kind
from tenants import selectors
from tenants.context import scope
from tenants.types import Organization, OrgRef
from tests.embedding import Embedder
from tests.knowledge.memory.support import ALICE, new, person, remember


@pytest.fixture(autouse=True)
def running(embedder: Embedder) -> Embedder:
    return embedder.ready()


def organization(ref: OrgRef) -> Organization:
    found = selectors.organization(ref.id)
    assert found is not None
    return found


def work(ref: OrgRef, seconds: float = 60) -> embedding.Turn:
    with scope(ref):
        return embedding.work(organization(ref), seconds=seconds)


def marked(ref: OrgRef) -> list[Any]:
    return outbox.refs(connections["batch"], Kind.EMBEDDING, ref.id)


def vectors(ref: OrgRef) -> dict[Any, list[float]]:
    with scope(ref), connection.cursor() as cursor:
        cursor.execute("SELECT memory_id, emb::text FROM memory_embedding WHERE model_id = %s", [MODEL_ID])
        return {one: [float(value) for value in text.strip("[]").split(",")] for one, text in cursor.fetchall()}


def stored(ref: OrgRef, *texts: str) -> list[Memory]:
    with scope(ref):
        subject = person()
        return [remember(subject, text) for text in texts]


def test_work__after_a_write__embeds_it_for_its_organization_alone(acme: OrgRef, globex: OrgRef) -> None:
    (tea, sea), (other,) = stored(acme, "She drinks green tea.", "He sails."), stored(globex, "They ski.")
    assert marked(acme) == sorted({tea.subject_pk})
    turn = work(acme)
    assert (turn.embedded, turn.refused, turn.failure) == (2, 0, None)
    assert marked(acme) == []
    found = vectors(acme)
    assert set(found) == {tea.id, sea.id}
    assert vectors(globex) == {}
    assert marked(globex) == [other.subject_pk]
    with scope(acme):
        (asked,) = embeddings.texts_now(organization(acme), ["Which hot drink does she like?"])
        assert embeddings.similarity(asked, found[tea.id]) > embeddings.similarity(asked, found[sea.id]) + 0.2
        assert embedding.progress(MODEL_ID) == embedding_rows.Progress(2, 0, 0)
    with scope(globex):
        assert embedding.progress(MODEL_ID) == embedding_rows.Progress(0, 1, 0)


def test_work__a_text_with_its_speaker__is_embedded_as_it_is_searched(acme: OrgRef) -> None:
    with scope(acme):
        memory = remember(person(), "I moved to Berlin.", speaker="Alex")
    work(acme)
    with scope(acme):
        (expected,) = embeddings.texts_now(organization(acme), ["Alex: I moved to Berlin."])
    assert vectors(acme)[memory.id] == pytest.approx(expected, abs=1e-5)


def test_work__no_time_left__stops_after_nothing_and_goes_on_later(acme: OrgRef) -> None:
    stored(acme, "one", "two")
    assert work(acme, seconds=0) == embedding.Turn(0, 0, left=True)
    assert len(marked(acme)) == 1
    assert work(acme).embedded == 2
    assert work(acme) == embedding.Turn()


def test_work__stopped_between_two_batches__continues_without_doing_anything_twice(
    acme: OrgRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = person()
    with scope(acme):
        services.create_many(
            [(subject, new(f"fact number {at}")) for at in range(80)], actor=ALICE, limit_per_subject=None
        )
    real, calls = embedding_rows.insert, []

    def dies(*given: Any) -> int:
        calls.append(given)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*given)

    monkeypatch.setattr(embedding_rows, "insert", dies)
    with pytest.raises(KeyboardInterrupt):
        work(acme)
    assert len(vectors(acme)) == 32
    assert marked(acme) == [subject.pk]
    monkeypatch.setattr(embedding_rows, "insert", real)
    assert work(acme).embedded == 48
    assert len(vectors(acme)) == 80


def test_work__twice_at_once__stores_each_vector_once(acme: OrgRef) -> None:
    stored(acme, *(f"fact number {at}" for at in range(40)))
    turns: list[embedding.Turn] = []
    threads = [threading.Thread(target=lambda: turns.append(work(acme))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(turn.embedded for turn in turns) == 40
    assert len(vectors(acme)) == 40
    assert marked(acme) == []


def test_insert__forgotten_meanwhile__leaves_no_row(acme: OrgRef) -> None:
    gone, stays = stored(acme, "to be forgotten", "to be kept")
    with scope(acme):
        due = embedding_rows.pending([gone.subject_pk, stays.subject_pk], MODEL_ID, 10)
        assert len(due) == 2
        services.forget(gone.id, actor=ALICE)
        made = embeddings.texts_now(organization(acme), [text for _, text in due])
        rows = [(one, vector) for (one, _), vector in zip(due, made, strict=True)]
        assert embedding_rows.insert([gone.subject_pk], MODEL_ID, rows) == 1
        embedding_rows.failed(MODEL_ID, [gone.id], "embedding_refused")
        assert embedding.progress(MODEL_ID) == embedding_rows.Progress(1, 0, 0)
    assert set(vectors(acme)) == {stays.id}


def test_insert__while_somebody_forgets_it__waits_and_leaves_no_row(acme: OrgRef) -> None:
    (memory,) = stored(acme, "about to be forgotten")
    with scope(acme):
        (vector,) = embeddings.texts_now(organization(acme), ["about to be forgotten"])
    counted: list[int] = []

    def insert() -> None:
        with scope(acme):
            counted.append(embedding_rows.insert([], MODEL_ID, [(memory.id, vector)]))  # without the subject's lock

    with scope(acme), transaction.atomic():
        services.forget(memory.id, actor=ALICE)
        other = threading.Thread(target=insert)
        other.start()
        _until_waiting()
    other.join()
    assert counted == [0]
    assert vectors(acme) == {}


def _until_waiting() -> None:
    """Until some session of the database waits for a row that somebody holds."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with connections["owner"].cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event IN ('transactionid', 'tuple')")
            if cursor.fetchone()[0]:
                return
        time.sleep(0.02)
    raise AssertionError("nobody waits")


def test_finish__a_write_that_is_not_committed_yet__keeps_its_mark(acme: OrgRef) -> None:
    (first,) = stored(acme, "the first")
    with scope(acme):
        subject = person()
        remember(subject, "known")
    work(acme)
    with scope(acme), transaction.atomic():
        embedding.wanted([first.subject_pk])
    done = threading.Event()

    def finish() -> None:
        with scope(acme):
            embedding._finish([subject.pk], MODEL_ID)
        done.set()

    with scope(acme), transaction.atomic():
        remember(subject, "not committed yet")  # marks, under the subject's lock
        thread = threading.Thread(target=finish)
        thread.start()
        _until_waiting()
        assert not done.is_set()
    thread.join()
    assert subject.pk in marked(acme)
    assert work(acme).embedded == 1


def test_work__new_vectors__raise_the_subjects_version_so_that_no_older_recall_is_served(acme: OrgRef) -> None:
    (memory,) = stored(acme, "something")

    def version() -> int:
        with scope(acme), connection.cursor() as cursor:
            cursor.execute("SELECT version FROM memory_subject WHERE subject_pk = %s", [memory.subject_pk])
            return int(cursor.fetchone()[0])

    before = version()
    work(acme)
    assert version() == before + 1
    work(acme)
    assert version() == before + 1


def test_work__texts_that_the_model_refuses__are_noted_told_once_and_tried_again(
    acme: OrgRef, globex: OrgRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad, worse = stored(acme, "fine", "bad one", "bad two")
    real = embeddings.texts_now

    def picky(of: Organization, wanted: list[str]) -> list[tuple[float, ...]]:
        if any("bad" in text for text in wanted):
            raise EmbeddingRefused("no")
        return real(of, wanted)

    monkeypatch.setattr(embeddings, "texts_now", picky)
    assert work(acme) == embedding.Turn(1, 2)
    assert set(vectors(acme)) == {good.id}
    with scope(acme):
        assert embedding.progress(MODEL_ID) == embedding_rows.Progress(1, 0, 2)
        (told,) = events.list_page(limit=50, after=None, name="ingestion.error").data
    assert told.payload == {
        "source": "embedding",
        "code": "embedding_refused",
        "detail": "2 memories could not be embedded.",
        "ref": MODEL_ID,
    }
    monkeypatch.setattr(embeddings, "texts_now", real)
    with scope(acme):
        embedding.want_everything()
    assert work(acme) == embedding.Turn()  # not due yet
    with scope(globex):
        assert embedding.retry(organization(globex)) == 0
    with scope(acme):
        assert embedding.retry(organization(acme)) == 2
    assert work(acme).embedded == 2
    assert set(vectors(acme)) == {good.id, bad.id, worse.id}


def test_work__nobody_embeds_now__keeps_the_marks_and_says_why(acme: OrgRef, monkeypatch: pytest.MonkeyPatch) -> None:
    stored(acme, "later")

    def away(of: Organization, wanted: list[str]) -> list[tuple[float, ...]]:
        raise UpstreamTimeout("too slow")

    monkeypatch.setattr(embeddings, "texts_now", away)
    turn = work(acme)
    assert (turn.embedded, turn.left, turn.failure) == (0, True, "upstream_timeout")
    assert len(marked(acme)) == 1
    assert vectors(acme) == {}


def test_everything__what_no_mark_stands_for__is_found_and_embedded(acme: OrgRef) -> None:
    memories = stored(acme, "one", "two")
    work(acme)
    with scope(acme), connection.cursor() as cursor:
        cursor.execute("DELETE FROM memory_embedding WHERE memory_id = %s", [memories[0].id])
    assert work(acme).embedded == 0
    with scope(acme):
        embedding.want_everything()
    assert marked(acme) == [embedding.EVERYTHING]
    assert work(acme).embedded == 1
    assert marked(acme) == []


def test_work__embedding_switched_off__clears_the_marks_and_stores_nothing(acme: OrgRef, settings: Any) -> None:
    stored(acme, "in words alone")
    settings.IKIRO_EMBEDDER_SOCKET = ""
    assert work(acme).embedded == 0
    assert work(acme) == embedding.Turn()
    assert marked(acme) == []
    assert vectors(acme) == {}


def test_write__with_embedding__does_not_wait_for_it(acme: OrgRef) -> None:
    subject = person()
    items = [(subject, new(f"the {at}th thing that somebody said about the weather in May")) for at in range(1_000)]
    began = time.monotonic()
    with scope(acme):
        services.create_many(items, actor=ALICE, limit_per_subject=None)
    took = time.monotonic() - began
    assert 1_000 / took > 200
    assert vectors(acme) == {}
    assert marked(acme) == [subject.pk]
