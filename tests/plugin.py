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
# A machine that runs many tests at once is slow, not away.
os.environ.setdefault("IKIRO_ADMISSION_TIMEOUT_MS", "1000")
# Mails of every process, for tests to read; and room for all tests to sign in from one address.
os.environ.setdefault("IKIRO_MAIL_DIR", str(STACK.places.state / "mails"))
os.environ.setdefault("IKIRO_SIGN_IN_PER_ADDRESS", "1000")
os.environ.setdefault("IKIRO_MAIL_PAUSE_S", "0.1")


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    STACK.remove()
