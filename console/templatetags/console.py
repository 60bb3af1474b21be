"""Tags and filters of every console template (a builtin library: no ``{% load %}``)."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Any

from django import template
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString

from console import assets
from console.icons import ICONS

register = template.Library()


@register.simple_tag
def asset(name: str) -> str:
    """The address of a static file, with its content's hash."""
    return assets.url(name)


@register.simple_tag
def icon(name: str, size: str = "") -> SafeString:
    """An icon that says nothing by itself: put words next to it. ``size`` is "", "sm" or "lg"."""
    if name not in ICONS:
        raise ValueError(f"{name!r} is not in console/icons.py")
    shape = f"{assets.url('console/icons.svg')}#{name}"
    kind = f"c-icon c-icon--{size}" if size else "c-icon"
    return format_html('<svg class="{}" aria-hidden="true" focusable="false"><use href="{}"/></svg>', kind, shape)


@register.simple_tag
def idempotency() -> SafeString:
    """A hidden field that makes a form's second submission the same call as its first."""
    return format_html('<input type="hidden" name="idempotency_key" value="{}">', secrets.token_urlsafe(18))


@register.simple_tag(takes_context=True)
def can(context: template.Context, action: str) -> Any:
    """Whether this person may do it here: true or false in a condition, and ``.why`` when not."""
    return context["request"].permissions.may(action)


@register.filter
def moment(value: str | datetime | None) -> datetime | None:
    """A timestamp of the API as a moment."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    return value.astimezone(UTC) if value else None


@register.filter
def clock(value: str | datetime | None) -> SafeString:
    """``21 Nov 14:03``, with UTC to the second on hover."""
    return _time(value, lambda when: f"{when.day} {when:%b %H:%M}")


@register.filter
def ago(value: str | datetime | None) -> SafeString:
    """``3 min ago``, kept true by app.js."""
    return _time(value, lambda when: _distance((datetime.now(UTC) - when).total_seconds()), 'data-ago=""')


@register.filter
def countdown(value: str | datetime | None) -> SafeString:
    """Time left, ticking with app.js: ``05:12:09``."""
    return _time(value, lambda when: _left((when - datetime.now(UTC)).total_seconds()), 'data-countdown=""')


@register.filter
def number(value: float | None) -> str:
    """``48,201``; a dash for nothing."""
    return "–" if value is None else f"{value:,}"


@register.filter
def money(micros: int | None) -> str:
    """Micro-dollars as dollars: four places under a dollar, two above."""
    if micros is None:
        return "–"
    dollars = micros / 1_000_000
    return f"${dollars:,.4f}" if abs(dollars) < 1 else f"${dollars:,.2f}"


@register.filter
def short(value: str, length: int = 14) -> str:
    """The beginning of an id; its whole is in the title or behind a copy button."""
    return value if len(value) <= length else f"{value[:length]}…"


@register.simple_block_tag(takes_context=True)
def dialog(context: template.Context, content: str, *, name: str, title: str, wide: bool = False) -> str:
    """``{% dialog name="x" title="…" %}…{% enddialog %}``; open it with ``command="show-modal" commandfor="x"``."""
    return _box("dialog", context, content, name=name, title=title, wide=wide)


@register.simple_block_tag(takes_context=True)
def menu(
    context: template.Context, content: str, *, name: str, label: str, symbol: str = "ellipsis", text: str = ""
) -> str:
    """A button with a popover of links and buttons; ``text`` shows beside the icon, ``label`` names it."""
    return _box("menu", context, content, name=name, label=label, symbol=symbol, text=text)


@register.simple_block_tag(takes_context=True)
def card(
    context: template.Context, content: str, *, title: str, name: str = "", link: str = "", link_text: str = ""
) -> str:
    """A titled section on the surface colour; ``name`` is its id."""
    return _box("card", context, content, title=title, name=name, link=link, link_text=link_text)


def _box(kind: str, context: template.Context, content: str, **values: Any) -> str:
    return render_to_string(f"console/kit/{kind}.html", {"content": content, **values}, request=context.get("request"))


def _time(value: str | datetime | None, text: Any, extra: str = "") -> SafeString:
    when = moment(value)
    if when is None:
        return SafeString("–")
    shape = '<time datetime="{}" title="{}" {}>{}</time>'
    return format_html(shape, when.isoformat(), f"{when:%Y-%m-%d %H:%M:%S} UTC", SafeString(extra), text(when))


def _distance(seconds: float) -> str:
    for size, name in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {name} ago"
    return "just now" if seconds < 10 else f"{int(seconds)} s ago"


def _left(seconds: float) -> str:
    if seconds <= 0:
        return "over"
    days, rest = divmod(int(seconds), 86_400)
    text = f"{rest // 3600:02}:{rest % 3600 // 60:02}:{rest % 60:02}"
    return f"{days} d {text}" if days else text
