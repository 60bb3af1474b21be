"""The console as a process of its own: no database to open, nothing of the gateway loaded, the same pages."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from django.conf import settings

from console.sealing import seal
from tests.console.test_pages import POLICY
from tests.harness import ROOT, Process, eventually, free_port

_PROOF = """
import json, sys
import console.asgi
from django.db import connections
from django.core.exceptions import ImproperlyConfigured
try:
    connections["default"].cursor()
    opened = True
except ImproperlyConfigured:
    opened = False
loaded = sorted({name.split(".")[0] for name in sys.modules} & {"gateway", "tenants", "psycopg", "celery", "redis"})
from django.conf import settings
print(json.dumps({"databases": sorted(settings.DATABASES), "opened": opened, "loaded": loaded}))
"""


def _environment(**ours: str) -> dict[str, str]:
    """This process's environment without anything that names a database or a store."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("IKIRO_", "DJANGO_", "PG"))}
    return {**clean, "IKIRO_SECRET_KEY": settings.SECRET_KEY, **ours}


def test_process__of_the_console__can_open_no_database_and_loads_nothing_of_the_gateway() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PROOF], cwd=ROOT, env=_environment(), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["opened"] is False
    assert found["loaded"] == []
    assert found["databases"] in ([], ["default"])  # Django itself adds an alias that cannot be used


@pytest.fixture(scope="module")
def alone(gateway: Any) -> Iterator[str]:
    """``make console`` in front of the running product."""
    port = free_port()
    env = _environment(IKIRO_GATEWAY_URL=gateway.base_url, PORT=str(port))
    process = Process(["-m", "console"], env).start()
    url = f"http://127.0.0.1:{port}"
    try:
        eventually(lambda: httpx.get(f"{url}/readyz", trust_env=False).status_code == 200, within=20)
        yield url
    finally:
        process.stop()
    assert "Warning" not in process.output


@pytest.fixture(params=["alone", "web process"])
def console(request: pytest.FixtureRequest, gateway: Any) -> str:
    """The console in both of its places."""
    return str(request.getfixturevalue("alone")) if request.param == "alone" else str(gateway.base_url)


def test_console__in_both_places__shows_the_landing_page_with_its_headers(console: str) -> None:
    answer = httpx.get(f"{console}/", trust_env=False)
    assert answer.status_code == 200
    assert f"curl {console}/v1/chat" in answer.text
    assert set(answer.headers["content-security-policy"].split("; ")) == POLICY
    sheet = re.search(r'href="(/static/console/console\.[0-9a-f]{12}\.css)"', answer.text)
    assert sheet
    style = httpx.get(f"{console}{sheet[1]}", trust_env=False)
    assert (style.status_code, style.headers["content-encoding"]) == (200, "gzip")


def test_console__in_both_places__sends_a_session_that_is_none_to_sign_in(console: str) -> None:
    cookie = {"ikiro_session": seal(["no-such-session", True, {}], "session")}
    with httpx.Client(base_url=console, cookies=cookie, trust_env=False) as client:
        answer = client.get("/o/acme/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=/o/acme/")


def test_console__in_both_places__refuses_a_form_without_its_token(console: str) -> None:
    answer = httpx.post(f"{console}/preferences", data={"name": "theme", "value": "dark"}, trust_env=False)
    assert answer.status_code == 403
    assert "csrf_failed" in answer.text


def test_console__in_both_places__reads_no_body_beyond_a_megabyte(console: str) -> None:
    answer = httpx.post(f"{console}/preferences", content=b"x" * (1024 * 1024 + 1), trust_env=False)
    assert answer.status_code == 413


def test_console__in_both_places__has_a_page_for_what_is_not_there(console: str) -> None:
    answer = httpx.get(f"{console}/no/such/page", trust_env=False)
    assert answer.status_code == 404
    assert "Not found" in answer.text
