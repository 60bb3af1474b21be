"""Chromium, and consoles to open in it: alone before a scripted gateway, or as part of the whole product."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from django.conf import settings
from playwright.sync_api import sync_playwright

from tests.browser.windows import FLAGS, Windows, chromium
from tests.console.scripted import Scripted
from tests.contract.clients.node_runtime import Node
from tests.harness import Process, eventually, free_port


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """``-m "not browser"`` leaves all of these out."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def axe(pytestconfig: pytest.Config) -> str:
    """axe-core's source, from the npm registry, by the lock file beside this."""
    cache = Path(pytestconfig.cache.mkdir("node-packages"))
    modules = Node.install(Path(__file__).parent / "node", cache).modules
    return (modules / "axe-core" / "axe.min.js").read_text()


# Not for the whole run: its event loop must be gone before other tests make theirs.
@pytest.fixture(scope="module")
def windows(axe: str) -> Iterator[Windows]:
    """Opens pages; ``with windows.open(url) as page``."""
    path = chromium()
    if path is None:
        pytest.skip("there is no Chromium on this machine")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        _park()
        yield Windows(browser, axe)
        _resume()
        browser.close()


_parked: list[Any] = []


def _park() -> None:
    """Playwright leaves its event loop marked as running in this thread, between its calls too; Django would then
    refuse the database to every test that comes later."""
    _parked[:] = [asyncio._get_running_loop()]
    asyncio._set_running_loop(None)


def _resume() -> None:
    if _parked:
        asyncio._set_running_loop(_parked[0])


@pytest.fixture(autouse=True)
def playwright_loop(windows: Windows) -> Iterator[None]:
    """The loop runs only during the tests that use it: not while other fixtures are made."""
    _resume()
    yield
    _park()


@pytest.fixture(scope="session")
def scripted_server() -> Iterator[tuple[Scripted, str]]:
    """A scripted gateway on a real socket."""
    gateway = Scripted()
    config = uvicorn.Config(gateway, log_level="error", lifespan="off", ws="none")
    server = uvicorn.Server(config)
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield gateway, f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join(10)


@pytest.fixture(scope="session")
def console_process(scripted_server: tuple[Scripted, str]) -> Iterator[Process]:
    """The console as a process of its own in front of the scripted gateway."""
    port = free_port()
    env = {
        name: value for name, value in os.environ.items() if not name.startswith(("IKIRO_", "DJANGO_"))
    } | {
        "IKIRO_SECRET_KEY": settings.SECRET_KEY,
        "IKIRO_GATEWAY_URL": scripted_server[1],
        "IKIRO_CONSOLE_KIT": "1",
        "PORT": str(port),
    }  # fmt: skip
    arguments = ["-m", "ikiro.serve", "console.asgi:application", "--port", str(port)]
    process = Process([*arguments, "--log-level", "warning"], env).start()
    url = f"http://127.0.0.1:{port}"
    try:
        eventually(lambda: httpx.get(f"{url}/healthz", trust_env=False).status_code == 200, within=20)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{process.output[-3000:]}") from None
    process.env = {**env, "URL": url}
    yield process
    process.stop()


@pytest.fixture
def scripted(scripted_server: tuple[Scripted, str]) -> Scripted:
    """The scripted gateway with its usual answers and no calls yet."""
    gateway, _ = scripted_server
    gateway.answers.clear()
    gateway.calls.clear()
    gateway.__post_init__()
    return gateway


@pytest.fixture
def console_url(console_process: Process, scripted: Scripted) -> str:
    """Where the console is; sign in with ``windows.open(url, signed_in="session-acme")``."""
    return str(console_process.env["URL"])
