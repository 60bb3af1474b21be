"""Starts a throw-away PostgreSQL and Valkey before pytest-django reads the settings, and removes them at the end.

Loaded with ``-p tests.plugin`` (pyproject.toml), because settings come from the environment and must find it complete.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from ikiro.stack.testing import TestStack

STACK = TestStack(Path(tempfile.mkdtemp(prefix="ikiro-tests-")) / "state").start()
os.environ.update({name: value for name, value in STACK.env.items() if name.startswith("IKIRO_")})
os.environ["DJANGO_SETTINGS_MODULE"] = "ikiro.settings.test"
# Crashes are seen within seconds instead of a minute.
os.environ.setdefault("IKIRO_LEASE_TTL_S", "3")


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    STACK.remove()
