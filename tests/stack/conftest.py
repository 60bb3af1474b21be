"""Throw-away installations for the stack's own tests; no Django here."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from ikiro.stack.places import Places, make_places
from ikiro.stack.testing import TestStack

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def durable_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestStack]:
    """One stack per module with fsync on, as a real installation has it."""
    with TestStack(tmp_path_factory.mktemp("stack") / "state", durable=True) as started:
        yield started


@pytest.fixture
def stack(durable_stack: TestStack) -> TestStack:
    """The module's stack, running, whatever the test before did to it."""
    return durable_stack.start()


@pytest.fixture
def places(tmp_path: Path) -> Iterator[Places]:
    """The directories of an installation in which nothing has started yet."""
    made = make_places(tmp_path / "state")
    yield made
    shutil.rmtree(made.runtime, ignore_errors=True)


@pytest.fixture
def clean_environ(places: Places) -> dict[str, str]:
    """The outer environment without anything of ours, pointing at ``places``."""
    outer = {name: value for name, value in os.environ.items() if not name.startswith(("IKIRO_", "PG", "DJANGO_"))}
    return {**outer, "IKIRO_STATE_DIR": str(places.state), "PYTHONPATH": str(ROOT)}
