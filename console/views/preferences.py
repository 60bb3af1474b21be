"""Theme, shortcuts and the language of snippets, for browsers without scripts; app.js sets the same cookies."""

from __future__ import annotations

from django.http import HttpResponse

from console import preferences
from console.pages import public_page
from console.rendering import redirect, safe_next
from console.requests import PageRequest


@public_page
async def change(request: PageRequest) -> HttpResponse:
    """Set one preference and go back. Anything unknown changes nothing."""
    response = redirect(request, safe_next(request))
    name, value = request.POST.get("name", ""), request.POST.get("value", "")
    if value in preferences.CHOICES.get(name, ()):
        response.set_cookie(
            preferences.cookie(name), value, max_age=preferences.MAX_AGE, samesite="Lax", secure=request.is_secure()
        )
    return response
