"""Opening pages in Chromium, and what a page must never do: log an error, break the policy, fail a rule of axe."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page

from console import preferences, session
from console.sealing import seal

FLAGS = (
    "--headless", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
RESULTS = Path(__file__).resolve().parents[2] / "test-results" / "screens"
LOOKS = (("light", 1360), ("dark", 1360), ("light", 390), ("dark", 390))
_ALL: dict[str, Any] = {
    "type": "tag",
    "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
}
_COLOURS = {"type": "rule", "values": ["color-contrast"]}
# Chromium's own line about an answer that is an error on purpose (422 of a form, 404 of a page).
_OWN_LINE = re.compile(r"Failed to load resource: the server responded with a status of 4\d\d")
_LISTEN = "addEventListener('securitypolicyviolation', e => console.error('CSP ' + e.violatedDirective + e.blockedURI))"


def chromium() -> str | None:
    """The browser of this machine."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
    return next((path for name in names if (path := shutil.which(name))), None)


@dataclass
class Windows:
    """Opens pages of one console. ``axe`` is axe-core's source."""

    browser: Browser
    axe: str = field(repr=False)

    @contextmanager
    def open(
        self,
        url: str,
        *,
        theme: str = "light",
        width: int = 1360,
        js: bool = True,
        signed_in: str | None = None,
        context: BrowserContext | None = None,
    ) -> Iterator[Page]:
        """A page at ``url``; everything it complains about is an error when it closes. ``signed_in`` is a session
        token to put into the console's cookie; ``context`` continues with the cookies of another page."""
        own = context is None
        context = context or self.context(theme=theme, width=width, js=js)
        base = "/".join(url.split("/")[:3])
        if signed_in:
            sealed = seal([signed_in, True, {}], "session")
            context.add_cookies([{"name": session.COOKIE, "value": sealed, "url": base}])
        context.add_cookies([{"name": preferences.cookie("theme"), "value": theme, "url": base}])
        page = context.new_page()
        page.add_init_script(_LISTEN)
        found: list[str] = []
        page.on("console", lambda line: _note(found, line.type, line.text))
        page.on("pageerror", lambda error: found.append(f"script: {error}"))
        try:
            page.goto(url)
            yield page
        finally:
            page.close()
            if own:
                context.close()
        if found:
            raise AssertionError(f"{url} complains: {found}")

    def context(self, *, theme: str = "light", width: int = 1360, js: bool = True) -> BrowserContext:
        """A browser of its own, without cookies, whose system wants ``theme``."""
        scheme: Any = "dark" if theme == "dark" else "light"
        return self.browser.new_context(
            viewport={"width": width, "height": 900}, java_script_enabled=js, color_scheme=scheme, locale="en-US"
        )

    def check(self, page: Page, name: str) -> None:
        """No rule of axe is broken and nothing is wider than the window; the picture goes to ``test-results``."""
        self.picture(page, name)
        page.evaluate(self.axe)
        self._judge(page, name, _ALL)

    def look(self, page: Page, name: str) -> None:
        """The same in both themes and both widths, without loading the page four times. What colours have no part in is
        asked once for each width."""
        page.emulate_media(reduced_motion="reduce")
        page.evaluate(self.axe)
        for theme, width in LOOKS:
            page.set_viewport_size({"width": width, "height": 900})
            page.evaluate("theme => void (document.documentElement.dataset.theme = theme)", theme)
            whole = (theme, width) in (LOOKS[0], LOOKS[-1])
            if whole:
                self.picture(page, f"{name}-{theme}-{width}")
            self._judge(page, f"{name}-{theme}-{width}", _ALL if whole else _COLOURS)

    def picture(self, page: Page, name: str) -> None:
        """To ``test-results``. The caret stays: hiding it would be an inline style, which the policy reports."""
        RESULTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=RESULTS / f"{name}.png", full_page=True, animations="disabled", caret="initial")

    def _judge(self, page: Page, name: str, rules: dict[str, Any]) -> None:
        options = {"runOnly": rules, "resultTypes": ["violations"]}
        broken = page.evaluate("options => axe.run(document, options)", options)["violations"]
        if broken:
            raise AssertionError(f"{name}: " + "\n".join(_words(rule) for rule in broken))
        if page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
            raise AssertionError(f"{name} is wider than its window")


def _note(found: list[str], kind: str, text: str) -> None:
    if kind in {"error", "warning"} and not _OWN_LINE.match(text):
        found.append(f"{kind}: {text}")


def _words(rule: dict[str, Any]) -> str:
    places = "; ".join(f"{node['target']} {node.get('failureSummary', '')}" for node in rule["nodes"][:4])
    return f"{rule['id']} ({len(rule['nodes'])}): {places}"
