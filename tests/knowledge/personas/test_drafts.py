"""Drafts: anything that can be kept may be one, nobody speaks with one, and nobody overwrites another's unseen."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.core.errors import BadRequest
from gateway.core.journal import Actor
from gateway.knowledge.personas import comparing, drafts, selectors, services
from gateway.knowledge.personas.errors import (
    DraftConflict,
    DraftNotFound,
    InvalidCartridge,
    PersonaArchived,
    PersonaExists,
    PersonaLimitReached,
    PersonaNotFound,
    TooManyDrafts,
    VersionConflict,
)
from gateway.knowledge.personas.models import PersonaDraftRow, PersonaRow, PersonaVersionRow
from gateway.platform.audit.models import AuditRow
from gateway.platform.events.models import EventRow
from tenants.context import scope
from tests.knowledge.personas.support import cartridge

ALICE, BOB = Actor("key", "key_alice"), Actor("user", "usr_bob")


@pytest.fixture
def inside(acme):
    with scope(acme):
        for rows in (PersonaVersionRow, PersonaRow, PersonaDraftRow, AuditRow, EventRow):
            rows.objects.all().delete()
        yield acme


def save(raw: dict[str, Any], **given: Any):
    return drafts.save(raw.get("id", "sage"), raw, **{"actor": ALICE, **given})


def publish(slug: str = "sage", **given: Any):
    return drafts.publish(slug, **{"actor": ALICE, "limit": None, **given})


def test_save__of_a_new_persona__is_a_draft_that_nobody_speaks_with(inside) -> None:
    draft = save(cartridge())
    assert (draft.persona_id, draft.revision, draft.based_on, draft.updated_by) == ("sage", 1, 0, "key:key_alice")
    assert draft.raw == cartridge()
    with pytest.raises(PersonaNotFound):
        selectors.load("sage")
    assert selectors.count() == 0
    assert [one.persona_id for one in selectors.drafts().data] == ["sage"]
    assert [row.action for row in AuditRow.objects.all()] == ["persona.draft_saved"]
    assert EventRow.objects.count() == 0


def test_save__errors__are_kept_and_block_publishing(inside) -> None:
    save({"id": "sage", "colour": "red"})
    with pytest.raises(InvalidCartridge) as refused:
        publish()
    told = {(problem.pointer, problem.code) for problem in refused.value.problems}
    assert {("#/cartridge/colour", "schema.additionalProperties"), ("#/cartridge/style", "schema.required")} <= told
    assert PersonaRow.objects.count() == 0
    assert selectors.draft("sage").revision == 1


def test_save__id_of_another_persona__blocks_publishing(inside) -> None:
    drafts.save("sage", cartridge("vex"), actor=ALICE)
    with pytest.raises(InvalidCartridge) as refused:
        publish()
    assert [(problem.pointer, problem.code) for problem in refused.value.problems] == [("#/cartridge/id", "id-matches")]


def test_save__the_same_again__changes_nothing(inside) -> None:
    first = save(cartridge())
    assert save(cartridge(), actor=BOB) == first
    assert AuditRow.objects.count() == 1


def test_save__old_revision__is_409_with_the_others_change(inside) -> None:
    save(cartridge())
    save(cartridge(tone="formal"), actor=BOB, expected_revision=1)
    with pytest.raises(DraftConflict) as refused:
        save(cartridge(tone="expert"), expected_revision=1)
    extra = refused.value.extra
    assert (extra["revision"], extra["saved_by"], extra["changes_total"]) == (2, "user:usr_bob", 1)
    assert extra["changes"] == [{"op": "replace", "pointer": "/style/tone", "before": "expert", "after": "formal"}]
    assert selectors.draft("sage").raw["style"]["tone"] == "formal"
    with pytest.raises(DraftConflict):
        save(cartridge(tone="expert"), expected_revision=0)
    with pytest.raises(DraftConflict) as gone:
        save(cartridge("vex"), expected_revision=3)
    assert gone.value.extra == {"revision": 0}


@pytest.mark.parametrize("slug", ["", "a b", "a@2", "x" * 65, "lint", "a\0b"])
def test_save__id_that_no_persona_can_have__is_422(inside, slug) -> None:
    with pytest.raises(BadRequest):
        drafts.save(slug, {}, actor=ALICE)
    assert PersonaDraftRow.objects.count() == 0


@pytest.mark.parametrize(
    "raw", [{"a": "b\0"}, {"a": float("nan")}, {"a": "\ud800"}, {"a": "x" * 131_100}, {"a": [[[[]]]] * 1}, []]
)
def test_save__what_cannot_be_kept__is_422(inside, raw) -> None:
    if raw == {"a": [[[[]]]]}:
        for _ in range(40):
            raw = {"a": raw}
    with pytest.raises(BadRequest):
        drafts.save("sage", raw, actor=ALICE)
    assert PersonaDraftRow.objects.count() == 0


def test_save__too_many_that_were_never_published__is_409(inside, monkeypatch) -> None:
    monkeypatch.setattr(drafts, "MAX_UNPUBLISHED", 2)
    services.create(cartridge("known"), limit=None, actor=ALICE)
    for slug in ("a", "known", "b"):
        save(cartridge(slug))
    with pytest.raises(TooManyDrafts):
        save(cartridge("c"))
    save(cartridge("a", tone="formal"))
    assert PersonaDraftRow.objects.count() == 3


def test_begin__id_in_use__is_409(inside) -> None:
    services.create(cartridge("known"), limit=None, actor=ALICE)
    save(cartridge("drafted"))
    for slug in ("known", "drafted"):
        with pytest.raises(PersonaExists):
            drafts.begin(slug, cartridge(slug), actor=ALICE)
    assert PersonaDraftRow.objects.count() == 1


def test_publish__draft_of_a_new_persona__is_version_1_and_the_draft_is_gone(inside) -> None:
    save(cartridge())
    version = publish(actor=BOB)
    assert (version.version, version.created_by, version.raw) == (1, "user:usr_bob", cartridge())
    assert selectors.load("sage") == version
    with pytest.raises(DraftNotFound):
        selectors.draft("sage")
    assert EventRow.objects.get().payload["change"] == "created"


def test_publish__plan_used_up__is_402_and_keeps_the_draft(inside) -> None:
    services.create(cartridge("one"), limit=1, actor=ALICE)
    save(cartridge())
    with pytest.raises(PersonaLimitReached):
        publish(limit=1)
    assert selectors.draft("sage").revision == 1
    save(cartridge("one", tone="formal"))
    assert publish("one", limit=1).version == 2


def test_publish__another_version_came_first__is_409_with_its_change_until_it_was_seen(inside) -> None:
    services.create(cartridge(), limit=None, actor=ALICE)
    save(cartridge(tone="expert"))
    services.publish("sage", cartridge(tone="formal"), actor=BOB)
    with pytest.raises(VersionConflict) as refused:
        publish()
    extra = refused.value.extra
    assert (extra["current_version"], extra["published_by"]) == (2, "user:usr_bob")
    assert extra["changes"] == [{"op": "replace", "pointer": "/style/tone", "before": "friendly", "after": "formal"}]
    assert selectors.load("sage").version == 2
    assert publish(expected_version=2).version == 3


def test_publish__somebody_else_published_the_draft__is_409_with_what_it_was(inside) -> None:
    services.create(cartridge(), limit=None, actor=ALICE)
    save(cartridge(tone="formal"))
    publish(actor=BOB, expected_revision=1)
    for condition in ({"expected_revision": 1}, {"expected_version": 1}):
        with pytest.raises(VersionConflict) as refused:
            publish(**condition)
        assert refused.value.extra["published_by"] == "user:usr_bob"
        assert [change["pointer"] for change in refused.value.extra["changes"]] == ["/style/tone"]
    with pytest.raises(VersionConflict) as late:
        publish()
    assert late.value.extra == refused.value.extra
    assert selectors.load("sage").version == 2


def test_publish__without_a_draft_since_the_last_version__is_404(inside) -> None:
    with pytest.raises(DraftNotFound):
        publish()
    services.create(cartridge(), limit=None, actor=ALICE)
    with pytest.raises(DraftNotFound):
        publish()
    save(cartridge(tone="formal"))
    publish()
    services.publish("sage", cartridge(tone="expert"), actor=BOB)
    with pytest.raises(DraftNotFound):
        publish()
    assert selectors.load("sage").version == 3


def test_publish__old_revision__is_409(inside) -> None:
    save(cartridge())
    save(cartridge(tone="formal"), actor=BOB)
    with pytest.raises(DraftConflict):
        publish(expected_revision=1)
    assert PersonaRow.objects.count() == 0


def test_archived__persona__takes_no_draft_until_restored(inside) -> None:
    services.create(cartridge(), limit=None, actor=ALICE)
    save(cartridge(tone="formal"))
    services.archive("sage", actor=ALICE)
    with pytest.raises(PersonaArchived):
        save(cartridge(tone="expert"))
    with pytest.raises(PersonaArchived):
        publish()
    with pytest.raises(PersonaLimitReached):
        services.restore("sage", limit=0, actor=ALICE)
    assert services.restore("sage", limit=1, actor=BOB).archived_at is None
    assert selectors.load("sage").version == 1
    assert publish().version == 2
    assert EventRow.objects.filter(payload__change="restored").count() == 1
    services.restore("sage", limit=0, actor=BOB)


def test_delete__draft__is_gone_with_its_trail(inside) -> None:
    save(cartridge())
    drafts.delete("sage", actor=BOB)
    with pytest.raises(DraftNotFound):
        drafts.delete("sage", actor=BOB)
    assert [row.action for row in AuditRow.objects.order_by("id")] == ["persona.draft_saved", "persona.draft_deleted"]


def test_roll_back__earlier_version__is_the_next_one_and_nothing_is_taken_back(inside) -> None:
    services.create(cartridge(), limit=None, actor=ALICE)
    services.publish("sage", cartridge(tone="formal"), actor=ALICE)
    version = services.roll_back("sage", 1, actor=BOB, expected_version=2)
    assert (version.version, version.raw, version.made_from) == (3, cartridge(), "version:1")
    assert version.digest == selectors.load("sage", 1).digest
    assert selectors.load("sage", 2).cartridge.style.tone == "formal"
    assert EventRow.objects.order_by("-id").first().payload["change"] == "rolled_back"
    with pytest.raises(VersionConflict):
        services.roll_back("sage", 2, actor=BOB, expected_version=2)
    assert selectors.load("sage").version == 3


def test_compare__versions_and_draft__tells_fields_and_prompt(inside) -> None:
    services.create(cartridge(), limit=None, actor=ALICE)
    services.publish("sage", cartridge(tone="formal"), actor=ALICE)
    changed = cartridge(tone="formal")
    changed["behavior"]["do"].insert(0, "Greet in one short line")
    changed["stages"] = {"friend": {"tone": "playful"}}
    save(changed)
    found = comparing.compare("sage", "1", "current", stage=None, mode="direct")
    assert [(change.op, change.pointer) for change in found.changes] == [("replace", "/style/tone")]
    assert "-Tone: friendly. Register: neutral; an emoji now and then; no slang." in found.prompt.lines
    found = comparing.compare("sage", "2", "draft", stage="friend", mode="direct")
    assert [(change.op, change.pointer) for change in found.changes] == [("add", "/behavior/do/0"), ("add", "/stages")]
    assert "+- Greet in one short line" in found.prompt.lines
    assert found.prompt.lines[-1].startswith("+This person is a friend of yours")
    assert found.prompt.token_delta == found.prompt.tokens_after - found.prompt.tokens_before > 0
    save({"id": "sage"})
    assert comparing.compare("sage", "1", "draft", stage=None, mode="direct").prompt is None
    with pytest.raises(BadRequest):
        comparing.compare("sage", "1", "latest", stage=None, mode="direct")


def test_drafts__of_two_organizations__are_strangers(acme, globex) -> None:
    with scope(acme):
        drafts.save("mine", cartridge("mine"), actor=ALICE)
    with scope(globex):
        with pytest.raises(DraftNotFound):
            drafts.publish("mine", limit=None, actor=BOB)
        with pytest.raises(DraftNotFound):
            drafts.delete("mine", actor=BOB)
        assert drafts.save("mine", cartridge("mine", tone="formal"), expected_revision=0, actor=BOB).revision == 1
    with scope(acme):
        assert selectors.draft("mine").raw == cartridge("mine")


@pytest.mark.parametrize(("text", "ref"), [("sage", ("sage", None)), ("sage@3", ("sage", 3)), ("", ("", None))])
def test_parse_ref__id_with_or_without_a_version__is_both(text, ref) -> None:
    assert selectors.parse_ref(text) == ref


@pytest.mark.parametrize(
    "text", ["sage@", "sage@x", "sage@0", "@3", "sage@1@2", "sage@-1", "sage@99999999999", "sage@٣"]
)
def test_parse_ref__something_else__is_422(text) -> None:
    with pytest.raises(BadRequest) as refused:
        selectors.parse_ref(text)
    assert refused.value.problems[0].pointer == "#/persona_id"
