"""How large things may be, and that colours can be read."""

from __future__ import annotations

import gzip
import re
from typing import Any

import pytest

from console import assets, icons
from console.loader import compact
from tests.architecture.tree import ROOT
from tests.console.conftest import Browser
from tests.console.scripted import Scripted

_TOKEN = re.compile(r"--([a-z0-9-]+):\s*(#[0-9a-f]{3,6})\b")
_TEXTS = [("text", 7), ("text-2", 7), ("text-3", 4.5), ("accent", 4.5), ("ok", 4.5), ("warn", 4.5), ("bad", 4.5),
          ("info", 4.5), ("line-strong", 3), *((f"s{n}", 3) for n in range(1, 7))]  # fmt: skip


def test_scripts__all_together__stay_small() -> None:
    files = [assets.assets()[f"console/{name}"].body for name in ("htmx.js", "app.js")]
    assert len(files[1]) <= 12 * 1024
    assert sum(map(len, files)) < 70 * 1024
    assert sum(len(gzip.compress(body)) for body in files) < 25 * 1024


def test_style_sheet__stays_small() -> None:
    sheets = {name: asset.body for name, asset in assets.assets().items() if name.endswith(".css")}
    common = sheets.pop("console/console.css")
    largest = max(sheets.values(), key=len, default=b"")  # a page links at most one of its own
    assert len(common) + len(largest) < 30 * 1024
    assert len(common) < 28 * 1024
    assert len(gzip.compress(common + largest)) < 7.5 * 1024


def test_icons__the_sprite__stays_small() -> None:
    assert len(set(icons.ICONS)) == len(icons.ICONS)
    assert len(assets.assets()["console/icons.svg"].zipped) < 6 * 1024


def test_page__with_fifty_rows__stays_small(browser: Browser, scripted: Scripted) -> None:
    row: dict[str, Any] = {
        "request_id": "req_01k0aaaaaaaaaaaaaaaaaaaaaa", "status": 200, "model": "openai/gpt-5-mini",
        "latency_ms": 812, "charged_micros": 4100, "occurred_at": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    scripted.on("GET", "/v1/requests", (200, {"data": [row] * 50, "next_cursor": None}))
    page = browser.sign_in("acme").get("/o/acme/").content
    assert page.count(b"req_01k0aaaaaaaaaaaaaaaaaaaaaa") == 50
    assert len(page) < 60_000


def test_page__needs__few_files(browser: Browser, scripted: Scripted) -> None:
    page = browser.sign_in("acme").get("/o/acme/").content.decode()
    files = {name.partition("#")[0] for name in re.findall(r'(?:src|href)="(/static/[^"]+)"', page)}
    assert len(files) <= 5  # and the page itself


def _tokens(name: str) -> dict[str, str]:
    return dict(_TOKEN.findall((ROOT / "static/console/css" / name).read_text()))


def _contrast(first: str, second: str) -> float:
    light, dark = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(digit * 2 for digit in colour[1:])
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("theme", ["10-tokens.css", "11-tokens-dark.css"])
@pytest.mark.parametrize(("name", "least"), _TEXTS)
def test_tokens__each_colour__can_be_read_on_the_surface(theme: str, name: str, least: float) -> None:
    tokens = _tokens(theme)
    assert _contrast(tokens[name], tokens["surface"]) >= least
    if f"{name}-soft" in tokens:
        assert _contrast(tokens[name], tokens[f"{name}-soft"]) >= 4.5


def test_tokens__both_themes__define_the_same_colours() -> None:
    assert set(_tokens("10-tokens.css")) == set(_tokens("11-tokens-dark.css"))


def test_style_sheet__dark__applies_when_chosen_and_when_the_system_is() -> None:
    body = assets.assets()["console/console.css"].body.decode()
    dark = assets._smaller((ROOT / "static/console/css/11-tokens-dark.css").read_bytes().strip()).decode().rstrip(";")
    assert body.count(dark) == 2
    assert "[data-theme=dark]{color-scheme:dark;" in body
    assert "@media(prefers-color-scheme:dark){[data-theme=auto]{color-scheme:dark;" in body


def test_compact__a_template__loses_indentation_and_nothing_else() -> None:
    source = "<ul>\n    <li>a b</li>\n\n  </ul>\n<pre>\n  kept\n    so\n</pre>\n  <textarea>\n  x</textarea>\n <b>y</b>"
    assert compact(source) == (
        "<ul>\n<li>a b</li>\n</ul>\n<pre>\n  kept\n    so\n</pre>\n<textarea>\n  x</textarea>\n<b>y</b>"
    )
