"""Personas and their versions: numbered once, never changed, read fresh, bounded by the plan."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.core.journal import Actor
from gateway.knowledge.personas import selectors, services
from gateway.knowledge.personas.errors import (
    InvalidCartridge,
    PersonaArchived,
    PersonaExists,
    PersonaLimitReached,
    PersonaNotFound,
    PersonaVersionNotFound,
    VersionConflict,
)
from gateway.knowledge.personas.models import PersonaRow, PersonaVersionRow
from gateway.platform.audit.models import AuditRow
from gateway.platform.events.models import EventRow
from tenants.context import scope
from tests.knowledge.personas.support import cartridge

ALICE, BOB = Actor("key", "key_alice"), Actor("user", "usr_bob")


@pytest.fixture
def inside(acme):
    with scope(acme):
        PersonaVersionRow.objects.all().delete()
        PersonaRow.objects.all().delete()
        AuditRow.objects.all().delete()
        EventRow.objects.all().delete()
        yield acme


def make(slug: str = "sage", **fields: Any):
    return services.create(cartridge(slug, **fields), limit=None, actor=ALICE)


def test_create__valid_cartridge__is_version_1_with_its_trail(inside) -> None:
    version = make()
    assert (version.persona_id, version.version, version.created_by) == ("sage", 1, "key:key_alice")
    assert version.raw == cartridge()
    assert version.cartridge.id == "sage"
    assert version.prompt.startswith("You are the persona “sage”.")
    assert version.digest == services.digest(cartridge())
    assert [(a.action, a.target, a.persona_id) for a in AuditRow.objects.all()] == [
        ("persona.created", "persona:sage", "sage")
    ]
    (event,) = EventRow.objects.all()
    assert (event.name, event.persona_id) == ("persona.updated", "sage")
    assert event.payload == {"persona_version": 1, "digest": version.digest, "change": "created"}


def test_digest__order_of_keys__does_not_matter() -> None:
    raw = cartridge()
    assert services.digest(dict(reversed(raw.items()))) == services.digest(raw)
    assert services.digest(raw) != services.digest(cartridge(tone="formal"))


def test_create__same_id_again__is_409(inside) -> None:
    make()
    with pytest.raises(PersonaExists):
        make()
    assert PersonaVersionRow.objects.count() == 1


def test_create__plan_used_up__is_402_and_archiving_makes_room(inside) -> None:
    services.create(cartridge("one"), limit=1, actor=ALICE)
    with pytest.raises(PersonaLimitReached) as refused:
        services.create(cartridge("two"), limit=1, actor=ALICE)
    assert (refused.value.http_status, refused.value.code, refused.value.extra) == (
        402, "plan_limit", {"limit": "personas", "maximum": 1},
    )  # fmt: skip
    assert [persona.id for persona in selectors.page().data] == ["one"]
    services.archive("one", actor=ALICE)
    assert services.create(cartridge("two"), limit=1, actor=ALICE).version == 1


def test_create__invalid_cartridge__names_every_place_and_stores_nothing(inside) -> None:
    raw = cartridge()
    raw["precedence"], raw["style"]["emoji"] = 101, "many"
    with pytest.raises(InvalidCartridge) as refused:
        services.create(raw, limit=None, actor=ALICE)
    assert [(p.pointer, p.code) for p in refused.value.problems] == [
        ("#/cartridge/precedence", "schema.maximum"), ("#/cartridge/style/emoji", "schema.enum"),
    ]  # fmt: skip
    assert PersonaRow.objects.count() == AuditRow.objects.count() == 0


def test_publish__new_cartridge__is_current_at_once_and_the_old_stays(inside) -> None:
    first = make()
    second = services.publish("sage", cartridge(tone="formal"), actor=BOB)
    assert second.version == 2
    assert selectors.load("sage").version == 2
    assert selectors.load("sage").cartridge.style.tone == "formal"
    assert selectors.load("sage", 1) == first
    assert [version.version for version in selectors.versions("sage").data] == [2, 1]
    assert EventRow.objects.order_by("-id").first().payload["change"] == "published"


def test_publish__the_current_document_again__changes_nothing(inside) -> None:
    first = make()
    raw = dict(reversed(cartridge().items()))
    assert services.publish("sage", raw, actor=BOB, expected_version=1) == first
    assert (PersonaVersionRow.objects.count(), AuditRow.objects.count(), EventRow.objects.count()) == (1, 1, 1)
    second = services.publish("sage", cartridge(tone="formal"), actor=BOB)
    with pytest.raises(VersionConflict):
        services.publish("sage", cartridge(tone="formal"), actor=BOB, expected_version=1)
    third = services.publish("sage", cartridge(), actor=BOB)
    assert [version.version for version in (second, third)] == [2, 3]
    services.archive("sage", actor=ALICE)
    with pytest.raises(PersonaArchived):
        services.publish("sage", cartridge(), actor=BOB)


def test_publish__expected_version_is_old__is_409_with_the_others_change(inside) -> None:
    make()
    theirs = services.publish("sage", cartridge(tone="formal"), actor=BOB, expected_version=1)
    with pytest.raises(VersionConflict) as refused:
        services.publish("sage", cartridge(tone="expert"), actor=ALICE, expected_version=1)
    assert refused.value.extra["current_version"] == 2
    assert refused.value.extra["published_by"] == "user:usr_bob"
    assert refused.value.extra["digest"] == theirs.digest
    assert selectors.load("sage").version == 2


def test_publish__cartridge_of_another_id__is_refused(inside) -> None:
    make()
    with pytest.raises(InvalidCartridge) as refused:
        services.publish("sage", cartridge("vex"), actor=ALICE)
    assert [problem.pointer for problem in refused.value.problems] == ["#/cartridge/id"]
    assert selectors.load("sage").version == 1


@pytest.mark.parametrize("slug", ["nobody", "a\0b", "\ud800", "x" * 5_000])
def test_load__unknown_persona__is_404(inside, slug) -> None:
    for work in (
        lambda: selectors.load(slug),
        lambda: selectors.get(slug),
        lambda: selectors.versions(slug),
        lambda: services.archive(slug, actor=ALICE),
    ):
        with pytest.raises(PersonaNotFound):
            work()


@pytest.mark.parametrize("version", [0, 2, -1])
def test_load__unknown_version__is_404(inside, version) -> None:
    make()
    with pytest.raises(PersonaVersionNotFound):
        selectors.load("sage", version)


def test_archive__persona__answers_no_more_and_comes_back_with_its_next_version(inside) -> None:
    make()
    assert services.archive("sage", actor=ALICE).archived_at is not None
    services.archive("sage", actor=ALICE)
    assert AuditRow.objects.filter(action="persona.archived").count() == 1
    for version in (None, 1):
        with pytest.raises(PersonaArchived):
            selectors.load("sage", version)
    with pytest.raises(PersonaArchived):
        services.publish("sage", cartridge(), actor=ALICE)
    assert selectors.page().data == []
    assert make().version == 2
    assert selectors.load("sage", 1).version == 1


def test_ensure_default__twice__is_one_persona_named_brand_default(inside) -> None:
    assert services.ensure_default(owner_id="Acme").id == "brand-default"
    assert services.ensure_default(owner_id="Acme").current_version == 1
    assert PersonaRow.objects.count() == 1
    services.archive("brand-default", actor=ALICE)
    assert services.ensure_default(owner_id="Acme").archived_at is not None


def test_load__known_version__is_one_query(inside, django_assert_num_queries) -> None:
    make()
    selectors.load("sage")
    with django_assert_num_queries(1):
        selectors.load("sage")


def test_personas__of_two_organizations__are_strangers(acme, globex) -> None:
    with scope(acme):
        services.create(cartridge("mine", tone="formal"), limit=None, actor=ALICE)
        assert selectors.load("mine").cartridge.style.tone == "formal"
    with scope(globex):
        with pytest.raises(PersonaNotFound):
            selectors.load("mine")
        services.create(cartridge("mine", tone="playful"), limit=None, actor=ALICE)
        assert selectors.load("mine").cartridge.style.tone == "playful"


def test_page__restricted_to_some__shows_those(inside) -> None:
    for slug in ("a", "b", "c"):
        make(slug)
    assert [persona.id for persona in selectors.page(only=("b", "x")).data] == ["b"]
    first = selectors.page(limit=2)
    assert [persona.id for persona in selectors.page(limit=2, cursor=first.next_cursor).data] == ["c"]
