"""Every house rule holds in the tree, and every house rule catches a violation that is planted for it."""

from __future__ import annotations

import pytest

from tests.architecture import rules
from tests.architecture.rules import RULES, Rule
from tests.architecture.tree import Source, sources

PLANTED: list[tuple[Rule, str, str]] = [
    (rules.at_most_300_lines, "gateway/core/long.py", "x = 1\n" * 301),
    (rules.no_get_model, "gateway/core/a.py", "from django.apps import apps\nM = apps.get_model('tenants', 'User')\n"),
    (rules.console_is_a_client, "console/views.py", "from gateway.core import ids\n"),
    (rules.console_is_a_client, "console/views.py", "import tenants.services\n"),
    (rules.console_is_a_client, "console/views.py", "from django import db\n"),
    (rules.console_is_a_client, "console/views.py", "from django.db import models\n"),
    (rules.console_is_a_client, "console/views.py", "importlib.import_module('gateway.core.ids')\n"),
    (rules.executors_only_in_context, "gateway/a.py", "from concurrent.futures import ThreadPoolExecutor\n"),
    (rules.executors_only_in_context, "gateway/a.py", "loop.run_in_executor(None, f)\n"),
    (rules.executors_only_in_context, "gateway/a.py", "import asgiref.sync as s\ns.sync_to_async(f)\n"),
    (rules.executors_only_in_context, "tenants/services.py", "await asyncio.to_thread(f)\n"),
    (rules.schema_switches_only_in_context, "tenants/services.py", "connection.set_schema('t_x')\n"),
    (rules.schema_switches_only_in_context, "ikiro/a.py", "from django_tenants.utils import schema_context\n"),
    (rules.schema_switches_only_in_context, "gateway/a.py", "connection.set_tenant(t)\n"),
    (rules.tasks_started_only_in_background, "gateway/a.py", "asyncio.create_task(f())\n"),
    (rules.tasks_started_only_in_background, "gateway/a.py", "from asyncio import ensure_future\n"),
    (rules.no_thread_insensitive, "tenants/context.py", "sync_to_async(f, thread_sensitive=False)\n"),
    (rules.no_sync_cache_in_async, "gateway/a.py", "async def f():\n    if x:\n        cache.get('k')\n"),
    (rules.no_sync_cache_in_async, "gateway/a.py", "async def f():\n    caches['state'].set('k', 1)\n"),
    (rules.no_silent_except, "gateway/a.py", "try:\n    f()\nexcept ValueError:\n    pass\n"),
    (rules.no_silent_except, "gateway/a.py", "try:\n    f()\nexcept ValueError:\n    ...\n"),
    (rules.no_silent_except, "gateway/a.py", "with contextlib.suppress(Exception):\n    f()\n"),
    (rules.outbound_http_only_in_egress, "gateway/platform/providers/wire.py", "import pyreqwest\n"),
    (rules.outbound_http_only_in_egress, "console/views.py", "from urllib import request\n"),
    (rules.outbound_http_only_in_egress, "console/views.py", "from urllib.request import urlopen\n"),
    (rules.outbound_http_only_in_egress, "gateway/core/a.py", "import httpx\n"),
    (rules.no_django_signals, "gateway/a.py", "from django.db.models.signals import post_save\n"),
    (rules.no_django_signals, "gateway/a.py", "from django.dispatch import receiver\n"),
]

ALLOWED: list[tuple[Rule, str, str]] = [
    (rules.at_most_300_lines, "gateway/a/migrations/0001_initial.py", "x = 1\n" * 301),
    (rules.at_most_300_lines, "gateway/core/long.py", "x = 1\n" * 300),
    (rules.no_get_model, "gateway/a/migrations/0002.py", "apps.get_model('a', 'B')\n"),
    (rules.console_is_a_client, "console/views.py", "from django.http import HttpRequest\n"),
    (rules.executors_only_in_context, "tenants/context.py", "from concurrent.futures import ThreadPoolExecutor\n"),
    (rules.tasks_started_only_in_background, "gateway/core/background.py", "asyncio.create_task(f())\n"),
    (rules.no_sync_cache_in_async, "gateway/a.py", "async def f():\n    await cache.aget('k')\n"),
    (rules.no_sync_cache_in_async, "gateway/a.py", "async def f():\n    def g():\n        cache.get('k')\n"),
    (rules.no_silent_except, "gateway/a.py", "try:\n    f()\nexcept ValueError:\n    log.warning('x')\n"),
    (rules.outbound_http_only_in_egress, "gateway/core/egress/client.py", "import pyreqwest\n"),
    (rules.outbound_http_only_in_egress, "gateway/a.py", "from urllib.parse import urlsplit\n"),
    (rules.no_django_signals, "tenants/celery.py", "from celery.signals import task_prerun\n"),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_rule__the_whole_tree__holds(rule: Rule) -> None:
    assert [problem for source in sources() for problem in rule(source)] == []


@pytest.mark.parametrize(("rule", "path", "text"), PLANTED)
def test_rule__planted_violation__is_caught(rule: Rule, path: str, text: str) -> None:
    problems = list(rule(Source(path, text)))
    assert problems
    assert all(problem.startswith(path) for problem in problems)


@pytest.mark.parametrize(("rule", "path", "text"), ALLOWED)
def test_rule__what_it_allows__passes(rule: Rule, path: str, text: str) -> None:
    assert list(rule(Source(path, text))) == []


def test_rules__each__has_a_planted_violation() -> None:
    assert {rule for rule, _, _ in PLANTED} == set(RULES)
