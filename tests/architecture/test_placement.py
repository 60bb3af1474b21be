"""Every table has one place (ADR-0006), and no foreign key leaves it or points upward."""

from __future__ import annotations

from collections.abc import Iterator

from django.apps import apps
from django.conf import settings
from django.db.models import Field

from tests.architecture.apps import Key, double_tables, layers, misplaced, upward_keys
from tests.architecture.tree import ROOT


def _placed() -> list[tuple[str, str]]:
    models = apps.get_models(include_auto_created=True)
    return [(model._meta.db_table, model._meta.app_config.name) for model in models]


def _keys() -> Iterator[Key]:
    for model in apps.get_models(include_auto_created=True):
        for field in model._meta.get_fields():
            if isinstance(field, Field) and field.related_model is not None:
                target = field.related_model._meta.app_config.name
                yield Key(f"{model._meta.label}.{field.name}", model._meta.app_config.name, target)


def test_apps__all__are_in_exactly_one_of_shared_and_tenant() -> None:
    with_models = {app for _, app in _placed()}
    assert misplaced(settings.SHARED_APPS, settings.TENANT_APPS, settings.INSTALLED_APPS, with_models) == []


def test_slices__with_an_app_config__are_listed() -> None:
    slices = {".".join(path.relative_to(ROOT).parts[:-1]) for path in ROOT.glob("gateway/*/*/apps.py")}
    assert slices - {*settings.SHARED_APPS, *settings.TENANT_APPS} == set()


def test_tables__of_all_apps__have_one_owner() -> None:
    assert double_tables(_placed()) == []


def test_foreign_keys__of_all_models__point_down_and_stay_in_their_schema() -> None:
    assert list(upward_keys(_keys(), set(settings.SHARED_APPS))) == []


def test_misplaced__planted_lists__names_each_problem() -> None:
    problems = misplaced(["a", "b", "b"], ["a"], ["a", "a", "c"], {"a", "c"})
    assert problems == [
        "a is shared and tenant",
        "a is listed twice",
        "b is listed twice",
        "a is installed twice",
        "b is listed, but not installed",
        "c has tables, but no place",
    ]


def test_double_tables__same_name_in_public_and_tenant__is_named() -> None:
    assert double_tables([("memory", "x"), ("key", "y"), ("memory", "z")]) == ["table memory: x and z"]


def test_upward_keys__planted_keys__are_caught() -> None:
    shared = {"tenants", "django.contrib.auth", "gateway.platform.ledger"}
    planted = [
        Key("up", "gateway.platform.audit", "gateway.engine.conversations"),
        Key("sideways", "gateway.knowledge.memory", "gateway.knowledge.subjects"),
        Key("upInFamily", "gateway.governance.policies", "gateway.governance.proposals"),
        Key("public", "gateway.knowledge.memory", "tenants"),
        Key("tenant", "gateway.platform.ledger", "gateway.platform.audit"),
        Key("sharedUp", "tenants", "gateway.platform.ledger"),
    ]
    allowed = [
        Key("inside", "gateway.knowledge.memory", "gateway.knowledge.memory"),
        Key("down", "gateway.engine.conversations", "gateway.platform.requests"),
        Key("downInFamily", "gateway.governance.proposals", "gateway.governance.policies"),
        Key("library", "tenants", "django.contrib.auth"),
    ]
    problems = list(upward_keys([*planted, *allowed], shared))
    assert [problem.split()[0] for problem in problems] == [key.field for key in planted]


def test_layers__read_from_importlinter__hold_platform_order() -> None:
    platform = layers()["gateway.platform"]
    assert [index for index, layer in enumerate(platform) if layer & {"admission", "ledger", "events", "outbox"}] == [
        1, 2, 3, 4,
    ]  # fmt: skip
