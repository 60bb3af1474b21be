"""Golden prompts and runs as rows: saved, started, nightly once; two organizations."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.core import clock
from gateway.core.journal import Actor
from gateway.engine.consistency import requiring, selectors, services
from gateway.engine.consistency.errors import ConsistencyRequired, GoldenPromptsConflict, RunUnderWay
from gateway.engine.consistency.models import GoldenSetRow, RunRow
from gateway.engine.consistency.tasks import nightly
from gateway.engine.consistency.types import GoldenPrompt, Reason, State
from gateway.knowledge.personas import selectors as personas
from gateway.knowledge.personas import services as publishing
from gateway.knowledge.personas.errors import PersonaArchived, PersonaNotFound
from gateway.platform.operations import selectors as operations
from gateway.platform.operations import services as running
from tenants.context import scope
from tenants.types import OrgRef
from tests.knowledge.personas.support import cartridge

ME = Actor("key", "key_01jd3v7x5k8m9n0p1q2r3s4t5v")
PROMPTS = (GoldenPrompt("Parcel", "Where is my parcel?", "On its way."),)
SETTINGS = {"model": "auto", "judge_model": None, "tolerance_percent": 10, "nightly": True, "required": False}


@pytest.fixture
def both(acme: OrgRef, globex: OrgRef) -> tuple[OrgRef, OrgRef]:
    for ref in (acme, globex):
        with scope(ref):
            publishing.create(cartridge(), limit=None, actor=ME)
    return acme, globex


def save(**settings: object):
    return services.save("sage", prompts=PROMPTS, settings={**SETTINGS, **settings}, actor=ME)


def test_save__twice_the_same_then_by_another__counts_changes_and_says_who_was_first(both) -> None:
    acme, globex = both
    with scope(acme):
        assert [save().revision, save().revision, save(nightly=False).revision] == [1, 1, 2]
        with pytest.raises(GoldenPromptsConflict) as refused:
            services.save("sage", prompts=(), settings=SETTINGS, expected_revision=1, actor=ME)
        assert refused.value.extra["revision"] == 2
        assert selectors.golden_set("sage").prompts == PROMPTS
        with pytest.raises(PersonaNotFound):
            services.save("nobody", prompts=PROMPTS, settings=SETTINGS, actor=ME)
    with scope(globex):
        assert selectors.golden_set("sage").revision == 0
        assert not GoldenSetRow.objects.exists()


def test_night__asked_by_the_hour__starts_one_run_and_not_for_what_was_saved_since_it_began(both) -> None:
    acme, globex = both
    now = datetime(2026, 11, 22, 3, 20, tzinfo=UTC)
    with scope(acme):
        golden = save()
        GoldenSetRow.objects.update(updated_at=now - timedelta(minutes=5))
        assert services.start_nightly(selectors.golden_set("sage"), now) is None
        GoldenSetRow.objects.update(updated_at=now - timedelta(days=1))
        golden = selectors.golden_set("sage")
        run = services.start_nightly(golden, now)
        assert run is not None
        assert (run.reason, run.version, run.started_by) == (Reason.NIGHTLY, 1, str(ME))
        RunRow.objects.update(state=State.DONE)
        for later in (now, now + timedelta(hours=20)):
            assert services.start_nightly(golden, later) is None
        assert RunRow.objects.count() == 1
        assert services.start_nightly(golden, now + timedelta(days=1)) is not None
    with scope(globex):
        assert not RunRow.objects.exists()


def test_nightly_task__for_one_organization__asks_only_its_own_and_skips_an_archived_persona(both) -> None:
    acme, globex = both
    before = clock.now() - timedelta(days=2)
    for ref in both:
        with scope(ref):
            save()
            GoldenSetRow.objects.update(updated_at=before)
    with scope(acme):
        nightly.work(acme)
        nightly.work(acme)
        assert RunRow.objects.count() == 1
    with scope(globex):
        assert not RunRow.objects.exists()
        publishing.archive("sage", actor=ME)
        nightly.work(globex)
        assert not RunRow.objects.exists()
        with pytest.raises(PersonaArchived):
            services.start("sage", None, actor=ME)


def test_run__that_lost_its_operation__has_failed_and_stands_in_nobodys_way(both) -> None:
    acme, _ = both
    with scope(acme):
        save()
        first = services.start("sage", None, actor=ME)
        with pytest.raises(RunUnderWay) as refused:
            services.start("sage", None, actor=ME)
        assert refused.value.extra["run_id"] == first.public_id
        assert first.operation_id is not None
        running.cancel(first.operation_id, actor=ME)
        shown = selectors.run("sage", first.id)
        assert (shown.state, shown.error["code"]) == (State.FAILED, "operation_cancelled")
        second = services.start("sage", None, actor=ME)
        assert operations.get(second.operation_id).total == 1


def test_gate__of_a_required_persona__lets_through_only_the_document_that_was_in_voice(both) -> None:
    acme, globex = both
    with scope(acme):
        save(required=True)
        digest = personas.load("sage").digest
        with pytest.raises(ConsistencyRequired) as refused:
            requiring.require("sage", digest)
        assert (refused.value.extra["run_id"], refused.value.extra["reasons"]) == (None, ["not_asked"])
        run = services.start("sage", None, actor=ME)
        for consistency, passes in ((None, False), (0.89, False), (0.9, True)):
            RunRow.objects.filter(pk=run.id).update(state=State.DONE, consistency=consistency)
            if passes:
                requiring.require("sage", digest)
            else:
                with pytest.raises(ConsistencyRequired):
                    requiring.require("sage", digest)
        with pytest.raises(ConsistencyRequired):
            requiring.require("sage", "sha256:another")
        version = personas.load("sage").version
        with pytest.raises(ConsistencyRequired):
            publishing.publish("sage", cartridge(tone="formal"), actor=ME)
        assert personas.load("sage").version == version
        # Nor does a persona come back with it from the archive.
        publishing.archive("sage", actor=ME)
        with pytest.raises(ConsistencyRequired):
            publishing.create(cartridge(tone="formal"), limit=None, actor=ME)
        assert personas.get("sage").archived_at is not None
        assert personas.get("sage").current_version == version
    with scope(globex):
        requiring.require("sage", digest)
        assert publishing.publish("sage", cartridge(tone="formal"), actor=ME).version == 2


@pytest.mark.parametrize(
    ("found", "reasons", "told"),
    [
        ({"consistency": None}, ["not_scored"], "nothing could be told of its answers"),
        ({"consistency": 0.5}, ["off"], "it is 50.0 % off the persona's voice, and 10 % are tolerated"),
        (
            {"consistency": 1.0, "missing": [{"what": "answer", "count": 1, "code": "upstream_error"}]},
            ["unanswered"],
            "1 of 1 prompts got no answer (upstream_error)",
        ),
        (
            {"consistency": None, "missing": [{"what": "similarity", "count": 1, "code": "embedder_unavailable"}]},
            ["not_compared"],
            "1 of 1 answers could not be compared with what they are held against (embedder_unavailable)",
        ),
        (
            {"consistency": 0.5, "missing": [{"what": "judge", "count": 1, "code": "model_not_found"}]},
            ["not_judged", "off"],
            "a/judge gave no opinion of 1 of 1 answers (model_not_found); it is 50.0 % off",
        ),
    ],
)
def test_gate__whose_run_lacks_something_or_is_off__says_what_and_what_to_do(both, found, reasons, told) -> None:
    acme, globex = both
    with scope(acme):
        save(required=True, judge_model="a/judge")
        run = services.start("sage", None, actor=ME)
        RunRow.objects.filter(pk=run.id).update(state=State.DONE, **found)
        shown = selectors.run("sage", run.id)
        assert shown.within is (False if "off" in reasons else None)
        with pytest.raises(ConsistencyRequired) as refused:
            requiring.require("sage", run.digest)
        assert (refused.value.extra["reasons"], refused.value.extra["run_id"]) == (reasons, run.public_id)
        assert told in refused.value.detail
        assert "None" not in refused.value.detail
        assert "POST /v1/personas/sage/consistency-runs" in refused.value.detail
    with scope(globex):
        requiring.require("sage", run.digest)


def test_gate__of_prompts_named_and_ordered_otherwise__takes_the_run_and_of_others_does_not(both) -> None:
    acme, globex = both
    first, second = GoldenPrompt("One", "One?", contains=("a",)), GoldenPrompt("Two", "Two?", max_chars=9)
    strict = {**SETTINGS, "required": True}

    def ask(*prompts: GoldenPrompt, **more: object) -> None:
        services.save("sage", prompts=prompts, settings={**strict, **more}, actor=ME)

    with scope(acme):
        ask(first, second)
        run = services.start("sage", None, actor=ME)
        RunRow.objects.filter(pk=run.id).update(state=State.DONE, consistency=0.95)
        requiring.require("sage", run.digest)
        ask(replace(second, name="Zwei"), first, tolerance_percent=5)
        requiring.require("sage", run.digest)
        for changed, reasons in (
            ({"prompts": (first,)}, ["other_prompts"]),
            ({"prompts": (first, replace(second, max_chars=10))}, ["other_prompts"]),
            ({"prompts": (first, second), "model": "a/b"}, ["other_model"]),
            (
                {"prompts": (first,), "model": "a/b", "judge_model": "c/d"},
                ["other_model", "other_judge", "other_prompts"],
            ),
            ({"prompts": (first, second), "tolerance_percent": 4}, ["off"]),
        ):
            ask(*changed.pop("prompts"), **changed)
            with pytest.raises(ConsistencyRequired) as refused:
                requiring.require("sage", run.digest)
            assert refused.value.extra["reasons"] == reasons
            assert refused.value.extra["run_id"] == run.public_id
    with scope(globex):
        requiring.require("sage", run.digest)


def test_runs__older_than_the_newest_five_hundred__are_let_go(both, monkeypatch) -> None:
    acme, _ = both
    monkeypatch.setattr(services, "_KEPT_RUNS", 3)
    with scope(acme):
        save()
        made = []
        for _ in range(5):
            made.append(services.start("sage", None, actor=ME))
            RunRow.objects.update(state=State.DONE)
        assert set(RunRow.objects.values_list("id", flat=True)) == {one.id for one in made[-3:]}
