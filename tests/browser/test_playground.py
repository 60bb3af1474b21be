"""Two windows of one person in the playground: Stop ends what it belongs to, at the provider too, and nothing else."""

from __future__ import annotations

import secrets
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.windows import Windows
from tests.console.places import Firm, firm, session_of
from tests.factories.organizations import committed_database
from tests.harness import Gateway, eventually

__all__ = ["committed_database"]
SLOW = 20_000  # milliseconds, for a busy machine


@pytest.fixture(scope="module")
def acme(gateway: Gateway, committed_database: None) -> tuple[Firm, str]:
    made = firm(gateway, "acme")
    return made, session_of(made.owner)


def _run(page: Page, model: str) -> Any:
    page.get_by_label("Model", exact=True).fill(f"openai/{model}")
    page.get_by_role("textbox", name="Message").fill("Count, please.")
    page.get_by_role("button", name="Run").click()
    pane = page.get_by_role("article", name="Answer A")
    expect(pane).to_contain_text("w1", timeout=SLOW)
    return pane


def test_stop__in_one_of_two_windows__ends_that_answer_at_the_provider_and_leaves_the_other(
    windows: Windows, gateway: Gateway, acme: tuple[Firm, str], upstream: Any
) -> None:
    company, token = acme
    url = f"{gateway.base_url}/o/{company.slug}/playground"
    mark = secrets.token_hex(3)
    long, short = f"fake:normal,chunks=600,pace_ms=50,x={mark}", f"fake:normal,chunks=40,pace_ms=50,x={mark}"
    context = windows.context()
    with windows.open(url, context=context, signed_in=token) as first, windows.open(url, context=context) as second:
        stopped, other = _run(first, long), _run(second, short)
        stopped.get_by_role("button", name="Stop").click()
        expect(stopped).to_contain_text("stopped", timeout=SLOW)
        expect(stopped).to_contain_text("w1")
        eventually(lambda: _call(upstream, long)["disconnected"], within=15)
        expect(other).to_contain_text("w39", timeout=SLOW)
        expect(other).to_contain_text("done")
        words = stopped.inner_text()
        assert "w599" not in words
        windows.check(first, "playground-stopped")
    context.close()
    assert _call(upstream, long)["finished"] is False
    assert _call(upstream, short)["finished"] is True


def _call(upstream: Any, model: str) -> dict[str, Any]:
    """The one call of this model that the provider saw."""
    [found] = [call for call in upstream.calls() if call["body"].get("model") == model]
    return dict(found)
