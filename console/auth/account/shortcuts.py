"""Single-key shortcuts and the theme, as kept in this browser."""

from __future__ import annotations

from django.http import HttpResponse

from console import preferences
from console.auth.account import frame
from console.forms import Form
from console.pages import account_page
from console.requests import PageRequest


@account_page
async def shortcuts(request: PageRequest) -> HttpResponse:
    """The forms post to ``/preferences``, which comes back here."""
    chosen = preferences.read(request.COOKIES)
    context = {
        "themes": [("auto", "As the system", ""), ("light", "Light", ""), ("dark", "Dark", "")],
        "switches": [
            ("on", "On", "One key acts at once, outside of fields"),
            ("off", "Off", "Only ⌘K and keys with modifiers act"),
        ],
        "theme_form": Form({"value": chosen.theme}, prefix="theme"),
        "keys_form": Form({"value": chosen.shortcuts}, prefix="keys"),
        "chosen": chosen,
    }
    return frame.show(request, "console/account/shortcuts.html", context)
